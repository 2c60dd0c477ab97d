from flowd import DAG, Connection, task

with DAG("secretive", schedule=None):

    @task
    def show(text: str) -> None:
        password = Connection.get("db").password
        print(f"printed {password}")  # noqa: T201
        raise ValueError(f"raised {password} for {text}")

    show("{{ conn.db.password }}")
