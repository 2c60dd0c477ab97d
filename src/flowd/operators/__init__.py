"""The operators that come with flowd. Importing the package imports them all, so that a fork server has them ready."""

from flowd.operators.bash import BashOperator as BashOperator
from flowd.operators.branch import BaseBranchOperator as BaseBranchOperator
from flowd.operators.branch import BranchPythonOperator as BranchPythonOperator
from flowd.operators.branch_dates import BranchDateTimeOperator as BranchDateTimeOperator
from flowd.operators.branch_dates import BranchDayOfWeekOperator as BranchDayOfWeekOperator
from flowd.operators.decorators import task as task
from flowd.operators.empty import EmptyOperator as EmptyOperator
from flowd.operators.guest_python import BranchExternalPythonOperator as BranchExternalPythonOperator
from flowd.operators.guest_python import ExternalPythonOperator as ExternalPythonOperator
from flowd.operators.latest_only import LatestOnlyOperator as LatestOnlyOperator
from flowd.operators.python import PythonOperator as PythonOperator
from flowd.operators.short_circuit import ShortCircuitOperator as ShortCircuitOperator
from flowd.operators.virtualenv import BranchPythonVirtualenvOperator as BranchPythonVirtualenvOperator
from flowd.operators.virtualenv import PythonVirtualenvOperator as PythonVirtualenvOperator
