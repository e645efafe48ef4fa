#!/bin/sh
# Builds the sidecar to the path in $1, relative to the checkout, and shows how
# far it is: the Dapr runtime is some 1,900 packages, which takes minutes the
# first time and seconds after. DAPR_VERSION is what `daprd --version` answers; it
# must be the version in go.mod.
set -eu
cd "$(dirname "$0")"
GO=${GO:-go}
export CGO_ENABLED=0

grep -q "github.com/dapr/dapr v$DAPR_VERSION\$" go.mod || {
	echo "sidecar/go.mod does not hold Dapr $DAPR_VERSION, which the Makefile names" >&2
	exit 1
}

# counted WHAT TOTAL: go's output on standard input, with the lines that name a
# package or a download turned into a count. Everything else is shown.
counted() {
	tty=0
	[ -t 1 ] && tty=1
	awk -v what="$1" -v total="$2" -v tty="$tty" '
		/^go: downloading / || /^[A-Za-z0-9_.\/~-]+$/ {
			n++
			if (tty) printf "\r  %d%s %s", n, total, what
			else if (n % 250 == 0) printf "  %d%s %s\n", n, total, what
			fflush()
			next
		}
		/^FAILED$/ { failed = 1; next }
		{ print }
		END { if (tty && n) print ""; exit failed }
	'
}

echo "building the Dapr sidecar $DAPR_VERSION: 3 to 4 minutes the first time, seconds after"
{ $GO list -deps . 2>&1 >/dev/null || echo FAILED; } | counted 'modules fetched' ''
total=$($GO list -deps . | wc -l)
{
	$GO build -v -trimpath -ldflags "-s -w -X github.com/dapr/dapr/pkg/buildinfo.version=$DAPR_VERSION" -o "../$1" . 2>&1 ||
		echo FAILED
} | counted 'packages compiled' " of $((total))"
echo "built $1"
