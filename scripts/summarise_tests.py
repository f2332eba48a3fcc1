"""Print one line per JUnit file and one in sum; exit 1 where a test failed or none ran."""
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

FIELDS = ('tests', 'failures', 'errors', 'skipped')


def counts(path: Path) -> dict[str, float]:
    suites = list(ElementTree.parse(path).getroot().iter('testsuite'))
    return {name: sum(float(suite.get(name, 0)) for suite in suites) for name in (*FIELDS, 'time')}


def line(name: str, row: dict[str, float]) -> str:
    passed = row['tests'] - row['failures'] - row['errors'] - row['skipped']
    return (f'{name:14} {passed:4.0f} passed, {row["failures"] + row["errors"]:.0f} failed, '
            f'{row["skipped"]:.0f} skipped, {row["time"]:.0f} s')


def main() -> int:
    rows = {path.parent.name: counts(path) for path in map(Path, sys.argv[1:]) if path.is_file()}
    for name, row in rows.items():
        print(line(name, row))
    total = {name: sum(row[name] for row in rows.values()) for name in (*FIELDS, 'time')}
    print(line('all', total))
    return 1 if not total['tests'] or total['failures'] + total['errors'] else 0


if __name__ == '__main__':
    sys.exit(main())
