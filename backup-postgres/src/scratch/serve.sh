# backproof-serve: makes a cluster and becomes its server. $1: the folder of the programs; $2: the cluster's folder, with the settings in it;
# $3: the superuser's name; then more arguments of initdb. Without `data` it makes the cluster, with `-only` in $BACKPROOF_INITDB no more than that.
set -eu
programs=$1 folder=$2 superuser=$3
shift 3
umask 077
ulimit -c 0
cd "$folder"
# Now it is known that programs run where we are.
"$programs/postgres" --version >caged
[ -e "$folder/data/PG_VERSION" ] || "$programs/initdb" -D "$folder/data" --no-sync --no-instructions --auth=trust --username="$superuser" --encoding=UTF8 --locale=C "$@" >initdb.log 2>&1 ||
    { status=$?; cat initdb.log >&2; exit "$status"; }
[ -z "${BACKPROOF_INITDB:-}" ] || exit 0
exec "$programs/postgres" -D "$folder/data" -c "config_file=$folder/postgresql.conf"
