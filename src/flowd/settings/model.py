"""The settings of a node: one frozen section per part, which receives that section alone."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from pydantic import PrivateAttr, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from flowd.domain.secret_names import BACKEND_VARIABLE
from flowd.domain.stored_value import COMPRESSION_VARIABLE, PATH_VARIABLE, THRESHOLD_VARIABLE
from flowd.settings.kerberos import KerberosSettings
from flowd.settings.secret_backends import AwsBackend, SecretBackend, read_backends
from flowd.settings.section import Section
from flowd.settings.tracing import TracingSettings
from flowd.settings.types import (
    Compression,
    Duration,
    FernetKeys,
    Folder,
    HttpUrl,
    Level,
    LogFormat,
    LogLevel,
    Names,
    OptionalFile,
    OptionalNames,
    OptionalSecret,
    PositiveDuration,
    Retention,
    Roles,
    SecretUrl,
    SigningKeys,
    Size,
    Style,
    password_of,
    setting,
)
from flowd.settings.units import format_duration

HEARTBEATS_PER_LEASE = 3

_DATABASES = ("sqlite", "postgresql", "postgres", "mysql", "mariadb")
_QUEUES = ("database", "amqp", "amqps", "sqs")
_PLACE = re.compile(r"file:///.+|(?!file:)[a-z][a-z0-9+.-]*://([^/@:]+@)?[^/@:]+(/.*)?")
_LOOPBACK = ("localhost", "::1", "[::1]")


class NodeSettings(Section):
    """What this node is."""

    roles: Roles = setting("api,scheduler,worker", "What this node runs: any of api, scheduler, worker and kerberos.")
    status_file: OptionalFile = setting(
        "", "A file that says starting, ready or stopping, renewed every 5 s, for probes that cannot ask /readyz."
    )


class DatabaseSettings(Section):
    """The metastore."""

    url: SecretUrl = setting(
        "sqlite:///$FLOWD_HOME/flowd.db",
        "The metastore: sqlite:///PATH, or postgresql:// or mysql:// and then USER:PASSWORD@HOST/DATABASE.",
        secret=True,
    )
    auto_migrate: bool = setting(
        "false", "Bring a server database to this version's schema at start; an embedded SQLite always is."
    )
    pool_size: int = setting("10", "Connections of this node to a server database.", ge=2, le=1000)

    @field_validator("url")
    @classmethod
    def _names_a_database(cls, url: SecretUrl) -> SecretUrl:
        return _of_scheme(url, _DATABASES)

    @property
    def is_embedded(self) -> bool:
        """True for SQLite, whose file only the processes of this machine can share."""
        return _scheme(self.url) == "sqlite"


class QueueSettings(Section):
    """The queue that carries work from schedulers to workers."""

    url: SecretUrl = setting(
        "database://",
        "The queue: database:// (the metastore itself), amqp://USER:PASSWORD@HOST1,HOST2/VHOST (amqps:// for TLS),"
        " sqs://KEY:SECRET@ or, with the credentials that AWS gives the machine, sqs://.",
        secret=True,
    )
    prefix: str = setting(
        "flowd", "What the names of a broker's queues begin with.", min_length=1, max_length=100, pattern=r"^[\w.-]+$"
    )
    message_limit: Size = setting(
        "1MiB", "The longest task message; the work of a longer one is read from the metastore.", ge=1024
    )
    poll_interval: PositiveDuration = setting("1s", "How often a worker of the database queue looks by itself.")
    sqs_region: str = setting("", "The AWS region of an sqs:// queue; empty is the machine's own.")
    sqs_endpoint_url: HttpUrl = setting("", "Where SQS is, if not at AWS: http://HOST:PORT or https://HOST.")

    @field_validator("url")
    @classmethod
    def _names_a_queue(cls, url: SecretUrl) -> SecretUrl:
        return _of_scheme(url, _QUEUES)

    @property
    def is_embedded(self) -> bool:
        """True where the metastore is the queue."""
        return _scheme(self.url) == "database"

    @property
    def is_sqs(self) -> bool:
        """True for Amazon SQS."""
        return _scheme(self.url) == "sqs"


class DagsSettings(Section):
    """The DAG files."""

    folder: Folder = setting("$FLOWD_HOME/dags", "The folder that a scheduler reads DAG files from.")
    scan_interval: PositiveDuration = setting("5s", "How often the folder is scanned; changes are also watched.")
    paused_at_creation: bool = setting("true", "Whether a new DAG waits to be unpaused.")
    parse_timeout: PositiveDuration = setting("30s", "How long one file may take to be parsed.")
    parse_memory: Size = setting("1GiB", "How much memory one file may take to be parsed.", ge=64 * 1024**2)
    max_bundle_size: Size = setting("64MiB", "How large the whole DAG folder may be.", ge=1024)


class ApiSettings(Section):
    """The REST API and the dashboard."""

    host: str = setting("127.0.0.1", "The address to listen on; 0.0.0.0 is every one.", min_length=1)
    port: int = setting("8080", "The port to listen on.", ge=0, le=65535)
    workers: int = setting("1", "Processes that share the port, for a node that runs the api role alone.", ge=1, le=256)
    public_url: HttpUrl = setting(
        "", "Where people reach the API, as behind a load balancer; empty is http://HOST:PORT."
    )

    test_connections: bool = setting(
        "false",
        "Let Ops test connections: this node then speaks to whatever one names, and says whether it answered. So they"
        " reach what its network reaches, this host and a cloud's metadata service included: turn it on only where they"
        " may, or where a firewall says what api nodes may connect to.",
    )

    @property
    def is_loopback(self) -> bool:
        """True where only this machine can reach the API."""
        return self.host in _LOOPBACK or self.host.startswith("127.")

    @property
    def url(self) -> str:
        """Where people reach the API, with no slash at its end."""
        host = f"[{self.host}]" if ":" in self.host and not self.host.startswith("[") else self.host
        return self.public_url or f"http://{host}:{self.port}"


class SchedulerSettings(Section):
    """The scheduler role."""

    poll_interval: PositiveDuration = setting("1s", "How often runs are looked at that no doorbell has rung for.")
    rescue_interval: PositiveDuration = setting("5s", "How often tasks are looked for whose worker fell silent.")
    catchup_limit: int = setting(
        "16", "How many runs of one DAG are created at once while it catches up.", ge=1, le=10_000
    )
    retention: Retention = setting("never", "How long finished runs are kept, as 90d; never deletes none.")


class WorkerSettings(Section):
    """The worker role."""

    concurrency: int = setting("16", "How many tasks run at a time.", ge=1, le=10_000)
    queues: Names = setting("default", "The queues to take tasks from.")
    lease: PositiveDuration = setting("60s", "How long a task belongs to a silent worker before it counts as lost.")
    heartbeat: PositiveDuration = setting("10s", "How often the leases are renewed: a third of `lease` at most.")
    kill_grace: Duration = setting("10s", "How long a task may take between SIGTERM and SIGKILL.")
    strict_fencing: bool = setting(
        "true", "Kill a task before its lease ends, so that no two tries ever overlap; false rides out long outages."
    )
    drain_timeout: Duration = setting("60s", "How long running tasks may take to end once the node is told to stop.")
    max_map_length: int = setting(
        "1024",
        "The longest list or dict that a task may return where another is mapped over it; and the most instances of a"
        " mapped task that crosses several arguments.",
        ge=1,
        le=1_000_000,
    )
    name: str = setting("", "What this worker is called; empty is the host's name.", max_length=150)

    @model_validator(mode="after")
    def _survives_a_lost_heartbeat(self) -> Self:
        if self.heartbeat * HEARTBEATS_PER_LEASE > self.lease:
            raise ValueError(
                f"heartbeat is {format_duration(self.heartbeat)} and lease {format_duration(self.lease)}: a lease must"
                f" last {HEARTBEATS_PER_LEASE} heartbeats; raise FLOWD__WORKER__LEASE or lower FLOWD__WORKER__HEARTBEAT"
            )
        return self


class LogsSettings(Section):
    """The logs of tasks, and the node's own."""

    url: str = setting("file://$FLOWD_HOME/logs", "Where the logs of tasks are kept.", pattern="^file:///")
    store: str = setting(
        "",
        "Where the logs of tasks are brought while they are written, for every node to read: s3://BUCKET/PREFIX; empty"
        " is nowhere, and then all nodes must share the folder of logs.url.",
        pattern=r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\s?#]*)?)?$",
    )
    store_region: str = setting("", "The AWS region of the bucket; empty is the machine's own.")
    store_endpoint_url: HttpUrl = setting("", "Where S3 is, if not at AWS: http://HOST:PORT or https://HOST.")
    limit: Size = setting("1GiB", "The longest log of one try; what follows is cut off, and marked so.", ge=1024)
    level: Level = setting(LogLevel.INFO.value, "The least severity that the node logs: debug, info, warning, error.")
    format: Style = setting(
        LogFormat.AUTO.value, "How the node logs: console, json, or auto for console on a terminal and json elsewhere."
    )

    @property
    def folder(self) -> Path:
        """The folder that `url` names."""
        return Path(urlsplit(self.url).path)


class MetricsSettings(Section):
    """What `/metrics` tells."""

    by_dag: bool = setting(
        "false",
        "Give tasks and runs the label dag_id, for the 500 busiest DAGs; whoever can reach /metrics reads their names.",
    )


class XComSettings(Section):
    """Large XComs, kept beside the metastore."""

    store: str = setting(
        "",
        "Where XComs go that are too large for the metastore: file:///FOLDER, which all workers share, or"
        " s3://CONNECTION_ID@BUCKET/PREFIX; empty is nowhere.",
    )
    threshold: Size = setting("1MiB", "From how many bytes of JSON on an XCom is kept there; 0 is every one.", ge=0)
    compression: Compression = setting("", "How it is compressed there: gzip, bz2, xz, or empty for not at all.")

    @field_validator("store")
    @classmethod
    def _is_a_place(cls, store: str) -> str:
        if store and not _PLACE.fullmatch(store):
            raise ValueError("it must be file:///FOLDER or s3://CONNECTION_ID@BUCKET/PREFIX, without a password")
        return store.rstrip("/")

    @property
    def variables(self) -> dict[str, str]:
        """What processes that run tasks are told, under Airflow's names; without a store their environment's count."""
        if not self.store:
            return {}
        return {
            PATH_VARIABLE: self.store,
            THRESHOLD_VARIABLE: str(self.threshold),
            COMPRESSION_VARIABLE: self.compression,
        }


class SecuritySettings(Section):
    """Keys, and the first user."""

    secret_key: SigningKeys = setting(
        "", "Signs access tokens and messages. A comma list: the first signs, all are accepted.", secret=True
    )
    fernet_key: FernetKeys = setting(
        "", "Encrypts connections and variables. A comma list: the first encrypts, all decrypt.", secret=True
    )
    admin_password: OptionalSecret = setting(
        "", "Creates the user `admin` with this password at the first start.", secret=True
    )
    token_lifetime: PositiveDuration = setting("24h", "How long an access token and a session are good for.")

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The signing secrets in clear, the one that signs first."""
        return _clear(self.secret_key)

    @property
    def fernet_keys(self) -> tuple[str, ...]:
        """The encryption keys in clear, the one that encrypts first."""
        return _clear(self.fernet_key)


class SecretsSettings(Section):
    """Where variables and connections are looked up before the environment and the metastore."""

    backend: OptionalNames = setting(
        "",
        "Backends, asked in this order: file, aws_secrets_manager, aws_parameter_store, or Airflow's class path of one."
        " AIRFLOW__SECRETS__BACKEND says the same.",
    )
    backend_kwargs: OptionalSecret = setting(
        "",
        "What the backend is told: a JSON object of Airflow's keyword arguments; for several a list of them."
        " AIRFLOW__SECRETS__BACKEND_KWARGS says the same.",
        secret=True,
    )
    cache: Duration = setting("30s", "How long an answer of a backend is kept, also that there is none; 0s asks anew.")

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        _ = self.backends
        return self

    @property
    def backends(self) -> tuple[SecretBackend, ...]:
        """What is configured, in order."""
        return read_backends(self.backend, self.backend_kwargs.get_secret_value() if self.backend_kwargs else "")

    @property
    def variables(self) -> dict[str, str]:
        """What processes that run tasks are told, under Airflow's name: that there are backends, and no more."""
        return {BACKEND_VARIABLE: ",".join(self.backend)} if self.backend else {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The credentials in clear, for the mask over the logs."""
        backends = [one for one in self.backends if isinstance(one, AwsBackend)]
        given = [secret for one in backends for secret in (one.aws_secret_access_key, one.aws_session_token)]
        return tuple(one.get_secret_value() for one in given if one)


class OidcSettings(Section):
    """Logging in through an OpenID Connect provider; without an issuer there is none."""

    issuer: str = setting("", "The provider's address, exactly as its own document spells it; https://.")
    client_id: str = setting("", "What the provider knows flowd as.")
    client_secret: OptionalSecret = setting(
        "", "What flowd shows the provider; empty if it asks for none.", secret=True
    )
    label: str = setting("single sign-on", "What people know the provider as, on the login page.", min_length=1)
    scopes: Names = setting("openid,profile,email", "What is asked of the provider; some want `groups` as well.")
    username_claim: str = setting("preferred_username", "The claim that is the user's name, as email.", min_length=1)
    groups_claim: str = setting(
        "groups", "The claim with the user's groups; a dot leads inside, as realm_access.roles.", min_length=1
    )
    admin_groups: OptionalNames = setting("", "The groups at the provider whose members are Admin; * is everybody.")
    op_groups: OptionalNames = setting("", "The groups whose members are Op.")
    user_groups: OptionalNames = setting("", "The groups whose members are User.")
    viewer_groups: OptionalNames = setting("", "The groups whose members are Viewer; who is in no group is not let in.")

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.issuer and not is_safe_url(self.issuer):
            raise ValueError("issuer must be https://, or http:// on this machine: a login in clear is anybody's")
        if self.issuer and not self.client_id:
            raise ValueError("an issuer without a client_id: FLOWD__OIDC__CLIENT_ID is what the provider calls flowd")
        if self.issuer and "openid" not in self.scopes:
            raise ValueError("scopes must hold openid: without it the provider sends no ID token")
        return self


class Settings(BaseSettings):
    """Everything a node is told; made by `flowd.settings.load.load_settings`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    home: Folder
    node: NodeSettings
    database: DatabaseSettings
    queue: QueueSettings
    dags: DagsSettings
    api: ApiSettings
    scheduler: SchedulerSettings
    worker: WorkerSettings
    logs: LogsSettings
    metrics: MetricsSettings
    tracing: TracingSettings
    xcom: XComSettings
    security: SecuritySettings
    oidc: OidcSettings
    secrets: SecretsSettings
    kerberos: KerberosSettings

    _sources: Mapping[str, str] = PrivateAttr(default_factory=dict)
    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load_settings` gives and nothing else: it reads the sources, so as to name the one at fault."""
        return (init_settings,)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was found that has no effect, each as a sentence for the person who wrote it."""
        return self._warnings

    def sources(self) -> Mapping[str, str]:
        """Where each setting came from, by its name (`worker.lease`)."""
        return self._sources

    def secret_texts(self) -> tuple[str, ...]:
        """Every secret text, for the mask over the logs."""
        password = self.security.admin_password
        passwords = [password_of(url.get_secret_value()) for url in (self.database.url, self.queue.url)]
        client_secret = self.oidc.client_secret
        given = [one.get_secret_value() if one else None for one in (password, client_secret)] + passwords
        given += self.tracing.header_fields.values()
        given += [unquote(text) for text in passwords if text and unquote(text) != text]
        keys = (*self.security.secret_keys, *self.security.fernet_keys, *self.secrets.secrets)
        return (*keys, *(text for text in given if text))


def _scheme(url: SecretUrl) -> str:
    return url.get_secret_value().partition("://")[0].partition("+")[0].lower()


def _of_scheme(url: SecretUrl, wanted: tuple[str, ...]) -> SecretUrl:
    # Without a scheme the whole text may be a secret that was put into the wrong variable: it is not repeated.
    found = f"it begins with {_scheme(url)}://" if "://" in url.get_secret_value() else "it is no URL"
    if "://" not in url.get_secret_value() or _scheme(url) not in wanted:
        raise ValueError(f"{found}; wanted one of {', '.join(f'{name}://' for name in wanted)}")
    return url


def is_safe_url(url: str) -> bool:
    """Return whether what is sent there cannot be read on the way: https://, or http:// on this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_here = host in _LOOPBACK or host.startswith("127.")
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_here))


def _clear(secrets: tuple[SecretStr, ...]) -> tuple[str, ...]:
    return tuple(secret.get_secret_value() for secret in secrets)
