"""Ties a command to the life of the process that starts it, then becomes the command.

    python -m kiwi_bringup.tether COMMAND [ARGUMENT...]

The command gets a process group of its own, so that a Ctrl-C in the terminal reaches the front end alone, which
stops its processes in order. When the front end dies by whatever cause, the kernel sends the command SIGTERM.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = int(os.environ.pop('KIWI_TETHER_PARENT', '0')) or os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0):
        raise OSError(ctypes.get_errno(), 'prctl(PR_SET_PDEATHSIG) failed')
    if os.getppid() != parent:
        raise SystemExit('the front end is gone')
    if os.getpgid(0) != os.getpid():
        os.setpgid(0, 0)
    try:
        os.execvp(sys.argv[1], sys.argv[1:])
    except OSError as error:
        print(f'cannot start {sys.argv[1]}: {error.strerror}', file=sys.stderr)
        raise SystemExit(127) from error


if __name__ == '__main__':
    main()
