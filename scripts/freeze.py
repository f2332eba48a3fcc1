"""Print `name==version` for every distribution that pip installed into this environment.

Unlike `pip freeze`, it leaves out the metadata that some wheels carry for packages inside them, which no index offers.
"""
import re
from importlib.metadata import distributions


def main() -> None:
    found = {}
    for distribution in distributions():
        if (distribution.read_text('INSTALLER') or '').strip() == 'pip':
            name = re.sub(r'[-_.]+', '-', distribution.metadata['Name']).lower()
            found[name] = distribution.version
    for name in sorted(set(found) - {'pip'}):
        print(f'{name}=={found[name]}')


if __name__ == '__main__':
    main()
