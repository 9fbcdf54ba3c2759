# backproof-scratch: runs the server of a scratch cluster, ends it when backproof goes away, in whatever way, and removes its folder.
# Its standard input is a pipe that backproof holds and never writes to. $1: the folder; $2: the signal that ends the server; then its command.
folder=$1 ending=$2
shift 2
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
# What else is in our process group (initdb) is ended too; we are not.
trap '' TERM QUIT
{
    read -r line <&3
    kill "-$ending" "$server"
    kill -TERM 0
    tries=0
    while kill -0 "$server" && [ "$tries" -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
    kill -KILL "$server"
} 2>/dev/null &
watch=$!
wait "$server"
status=$?
kill -KILL "$watch" 2>/dev/null
echo "$status" >"$folder/ended"
# The folder of a server that ended by itself stays until backproof has read its log.
read -r line <&3
# A backend that outlives its server may write for a moment.
tries=0
until rm -rf "$folder" || [ "$tries" -ge 20 ]; do sleep 0.1; tries=$((tries + 1)); done
exit "$status"
