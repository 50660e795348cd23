"""Agreement of two methods that measure the same targets: `read_table` and `analyse`."""

from monai_ctseg.agreement.statistics.analyse import analyse
from monai_ctseg.agreement.statistics.estimate import Estimate
from monai_ctseg.agreement.statistics.protocol import Protocol
from monai_ctseg.agreement.statistics.records import Agreement
from monai_ctseg.agreement.statistics.table import Reading, Table, make_table, read_table

__all__ = ["Agreement", "Estimate", "Protocol", "Reading", "Table", "analyse", "make_table", "read_table"]
