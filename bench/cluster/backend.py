"""The backends that are measured: a metastore and a queue."""

from enum import StrEnum


class Metastore(StrEnum):
    """Where the ledger is."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"
    MARIADB = "mariadb"


class Broker(StrEnum):
    """Where the queue is; `database` is the metastore itself."""

    DATABASE = "database"
    RABBITMQ = "rabbitmq"
    SQS = "sqs"


class Backend(StrEnum):
    """A pair of the two. SQLite with its own queue is the embedded node, which needs no server at all."""

    SQLITE = "sqlite"
    POSTGRES_AMQP = "postgres+amqp"
    POSTGRES_DATABASE = "postgres+database"
    MARIADB_SQS = "mariadb+sqs"

    @property
    def metastore(self) -> Metastore:
        """Its first half."""
        match self:
            case Backend.SQLITE:
                return Metastore.SQLITE
            case Backend.POSTGRES_AMQP | Backend.POSTGRES_DATABASE:
                return Metastore.POSTGRES
            case Backend.MARIADB_SQS:
                return Metastore.MARIADB

    @property
    def broker(self) -> Broker:
        """Its second half."""
        match self:
            case Backend.SQLITE | Backend.POSTGRES_DATABASE:
                return Broker.DATABASE
            case Backend.POSTGRES_AMQP:
                return Broker.RABBITMQ
            case Backend.MARIADB_SQS:
                return Broker.SQS
