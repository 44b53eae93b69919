#!/bin/sh
# Runs the Workers runtime ($BATUTA_WORKERD) so that it cannot outlive the server that started it.
#
# Descriptor 3 is the pipe on which the runtime reports its ports. The server never writes to it, so reading it returns only when
# the server is gone, however it went. The watcher then kills the runtime, unless that has ended already and its pid is another's.
# It keeps no other descriptor of the runtime open. `exec` keeps the pid: the runtime is $$, and the watcher is its child.
#
# Ctrl-C reaches the whole process group; the runtime ignores it and waits for the server to end it.
trap '' INT

sh -c '
  trap "" INT TERM HUP
  read -r _
  if [ -r /proc/$$/stat ]; then read -r _ _ _ parent _ < /proc/$$/stat; else parent=$(ps -o ppid= -p $$); fi
  [ "$parent" -eq "$1" ] && kill -9 "$1"
' watch-server $$ <&3 3>&- >/dev/null 2>&1 &

exec "$BATUTA_WORKERD" "$@"
