# A server that ignores the end of its input and every signal that it can, and so does its child. PIDS says who is there.
trap '' HUP INT QUIT TERM
sleep 60 </dev/null &
echo "$$ $!" >"$PIDS"
while :; do sleep 60; done
