"""`import airflow…` in DAG files: the paths of Airflow 1.10, 2 and 3 give flowd's own objects."""

from flowd.compat.example_dags import examples_are_in as examples_are_in
from flowd.compat.finder import install as install
from flowd.compat.plugins import load_plugins as load_plugins
