import sys

from kiwi_training.executor_bench.command import main

if __name__ == '__main__':
    sys.exit(main())
