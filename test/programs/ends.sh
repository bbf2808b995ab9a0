# Ends as the environment says: by SIGNAL, or with CODE.
[ -n "$SIGNAL" ] && kill -s "$SIGNAL" $$
exit "${CODE:-0}"
