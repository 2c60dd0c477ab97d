"""@task.virtualenv, @task.external_python and their branches."""

from flowd.operators.decorated import DecoratedOperator
from flowd.operators.guest_python import BranchExternalPythonOperator, ExternalPythonOperator
from flowd.operators.virtualenv import BranchPythonVirtualenvOperator, PythonVirtualenvOperator


class DecoratedVirtualenvOperator(DecoratedOperator, PythonVirtualenvOperator):
    """@task.virtualenv."""

    custom_operator_name = "@task.virtualenv"
    template_fields = PythonVirtualenvOperator.template_fields
    template_ext = PythonVirtualenvOperator.template_ext


class DecoratedExternalPythonOperator(DecoratedOperator, ExternalPythonOperator):
    """@task.external_python."""

    custom_operator_name = "@task.external_python"
    template_fields = ExternalPythonOperator.template_fields


class DecoratedBranchVirtualenvOperator(DecoratedOperator, BranchPythonVirtualenvOperator):
    """@task.branch_virtualenv."""

    custom_operator_name = "@task.branch_virtualenv"
    template_fields = BranchPythonVirtualenvOperator.template_fields
    template_ext = BranchPythonVirtualenvOperator.template_ext


class DecoratedBranchExternalPythonOperator(DecoratedOperator, BranchExternalPythonOperator):
    """@task.branch_external_python."""

    custom_operator_name = "@task.branch_external_python"
    template_fields = BranchExternalPythonOperator.template_fields
