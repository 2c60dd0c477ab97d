"""The table's part about partitions of assets (Airflow 3.2 and 3.3)."""


def _all(home: str, *names: str) -> dict[str, str]:
    return {name: f"{home}:{name}" for name in names}


_HOME = "flowd.sdk.partition_mappers"
_SIMPLE = {
    "allowed_key": _all(_HOME, "AllowedKeyMapper"),
    "base": _all(_HOME, "PartitionMapper", "RollupMapper"),
    "chain": _all(_HOME, "ChainMapper"),
    "fixed_key": _all(_HOME, "FixedKeyMapper"),
    "identity": _all(_HOME, "IdentityMapper"),
    "product": _all(_HOME, "ProductMapper"),
    "temporal": _all(
        _HOME,
        "FanOutMapper", "StartOfDayMapper", "StartOfHourMapper", "StartOfMonthMapper", "StartOfQuarterMapper",
        "StartOfWeekMapper", "StartOfYearMapper",
    ),
    "wait_policy": _all(_HOME, "MinimumCount", "WaitForAll", "WaitPolicy"),
    "window": _all(
        _HOME,
        "DayWindow", "HourWindow", "MonthWindow", "QuarterWindow", "SegmentWindow", "WeekWindow", "Window",
        "YearWindow",
    ),
}  # fmt: skip
_MAPPERS = {name: path for part in _SIMPLE.values() for name, path in part.items()}
_CRON = _all("flowd.sdk.known_timetables", "CronPartitionTimetable")
_RUNTIME = _all("flowd.sdk.known_timetables", "PartitionedAtRuntime")
_ASSETS = _all("flowd.sdk.partitioned_assets", "PartitionedAssetTimetable")

PARTITION_TABLE: dict[str, dict[str, str]] = {
    "airflow.sdk": {**_MAPPERS, **_CRON, **_RUNTIME, **_ASSETS},
    **{f"airflow.{home}": _MAPPERS for home in ("partition_mappers", "sdk.definitions.partition_mappers")},
    **{f"airflow.partition_mappers.{module}": names for module, names in _SIMPLE.items()},
    **{f"airflow.sdk.definitions.partition_mappers.{module}": names for module, names in _SIMPLE.items()},
    "airflow.sdk.definitions.timetables.assets": {**_RUNTIME, **_ASSETS},
    "airflow.sdk.definitions.timetables.trigger": _CRON,
    "airflow.timetables.simple": {**_RUNTIME, **_ASSETS},
    "airflow.timetables.trigger": _CRON,
}
