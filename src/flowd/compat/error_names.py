"""Exceptions and warnings of Airflow that flowd itself never raises; providers and DAG files raise and catch them."""

from http import HTTPStatus

from flowd.sdk.exceptions import AirflowException, AirflowNotFoundException


class AirflowProviderDeprecationWarning(DeprecationWarning):
    """A provider warns that something of it will go."""

    deprecated_provider_since: str | None = None


class RemovedInAirflow3Warning(DeprecationWarning):
    """Something that Airflow 3 no longer has."""

    deprecated_since: str | None = None


class RemovedInAirflow4Warning(DeprecationWarning):
    """Something that Airflow 4 will no longer have."""

    deprecated_since: str | None = None


class AirflowOptionalProviderFeatureException(AirflowException):
    """A provider lacks a package that one of its features needs."""


class AirflowBadRequest(AirflowException):
    """A request was not understood."""

    status_code = HTTPStatus.BAD_REQUEST


class AirflowInternalRuntimeError(BaseException):
    """Something that must end the process."""


class AirflowDagCycleException(AirflowException):
    """A DAG goes in a circle."""


class AirflowTimetableInvalid(AirflowException):
    """A timetable contradicts itself."""


class AirflowClusterPolicyViolation(AirflowException):
    """A policy of the cluster forbids it."""


class AirflowParsingException(AirflowException):
    """A DAG file could not be read."""


class TaskInstanceNotFound(AirflowNotFoundException):
    """There is no such task instance."""


class PoolNotFound(AirflowNotFoundException):
    """There is no such pool."""


class SerializationError(AirflowException):
    """Something could not be written."""


class DeserializingResultError(ValueError):
    """A result could not be read."""


class UnmappableXComTypePushed(TypeError):
    """A mapped task was given something that has no items."""


class XComForMappingNotPushed(TypeError):
    """A mapped task was given nothing."""


class PodMutationHookException(AirflowException):
    """Changing a pod before its start failed."""


class PodReconciliationError(AirflowException):
    """Two descriptions of a pod could not be made one."""
