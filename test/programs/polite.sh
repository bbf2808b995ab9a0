# A server that ends at the end of its input and at every signal. It has a child, and says in PIDS who is there.
sleep 60 </dev/null &
echo "$$ $!" >"$PIDS"
exec cat >/dev/null
