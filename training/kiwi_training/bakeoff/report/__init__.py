"""The report of a bake-off: from summary.json, traces and films to Markdown, one HTML page and plots."""

from kiwi_training.bakeoff.report.recorded import report_rollouts, summary_of_rollouts
from kiwi_training.bakeoff.report.table import table_markdown
from kiwi_training.bakeoff.report.writing import write_docs, write_report

__all__ = ['report_rollouts', 'summary_of_rollouts', 'table_markdown', 'write_docs', 'write_report']
