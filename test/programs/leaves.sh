# A server that ends at once and leaves a child behind that ignores SIGTERM.
trap '' HUP INT QUIT TERM
sleep 60 </dev/null >/dev/null 2>&1 &
echo "$$ $!" >"$PIDS"
exit 3
