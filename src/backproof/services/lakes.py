"""The lake that the settings name."""

from backproof.marketdata.demo import demo_lake
from backproof.settings import Settings
from backproof.storage.lake import Lake
from backproof.storage.opening import Location, open_files


def open_lake(settings: Settings) -> Lake:
    """In the process that uses it; nothing is asked of a server yet."""
    return Lake(open_files(storage_location(settings)), demo_lake())


def storage_location(settings: Settings) -> Location:
    return Location(settings.storage_place, str(settings.data_dir / "cache"), settings.storage_cache_mb)
