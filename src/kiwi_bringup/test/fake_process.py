"""A process that notes what happens to it: fake_process.py NAME LOG [option ...].

Options: live=S ends after S seconds; exit=N with that status; kill=once dies by SIGKILL in its first life;
ignore=int or ignore=both leaves signals unanswered; print=TEXT as its only output; linger=S takes that long to stop.
"""
import os
import signal
import sys
import time

name, log = sys.argv[1:3]
options = dict(word.split('=', 1) for word in sys.argv[3:])


def note(event):
    with open(log, 'a') as file:
        file.write(f'{name} {event} {os.getpid()}\n')


def stop(number, _frame):
    note(signal.Signals(number).name)
    if options.get('ignore') == 'both' or (options.get('ignore') == 'int' and number == signal.SIGINT):
        return
    time.sleep(float(options.get('linger', 0)))
    note('end')
    sys.exit(0)


signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
first = not os.path.exists(log) or f'{name} start' not in open(log).read()
note('start')
if 'print' in options:
    print(options['print'], flush=True)
deadline = time.monotonic() + float(options.get('live', 60))
while time.monotonic() < deadline:
    time.sleep(0.05)
    if options.get('kill') == 'once' and first:
        os.kill(os.getpid(), signal.SIGKILL)
note('end')
sys.exit(int(options.get('exit', 0)))
