package notify

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// errForbidden is wrapped by what a guard refuses.
var errForbidden = errors.New("not a public address")

// A guard says which addresses webhooks may connect to: public ones, and those of
// the networks allowed. It looks at the address that is about to be connected to,
// so neither the notation of a URL nor what a name resolves to gets past it.
type guard struct {
	allowed []netip.Prefix
}

// control is for [net.Dialer]'s Control, which is called with each address after
// names are resolved and before the connection is made.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q", errForbidden, address)
	}
	return g.check(target.Addr())
}

// check returns an error that wraps errForbidden where the address is refused.
func (g guard) check(addr netip.Addr) error {
	if addr.Zone() != "" { // only addresses of this link have one
		return fmt.Errorf("%s is %w", addr, errForbidden)
	}
	plain := addr.Unmap()
	inside := func(p netip.Prefix) bool { return p.Contains(plain) }
	if isPublic(plain) || slices.ContainsFunc(g.allowed, inside) {
		return nil
	}
	return fmt.Errorf("%s is %w", addr, errForbidden)
}

// isPublic tells of an address, unmapped and without zone, whether it is one of
// the Internet's. Of IPv6 that is 2000::/3 alone, without what is in nobody's
// network, and what NAT64 translates to a public IPv4 address (RFC 6052).
func isPublic(addr netip.Addr) bool {
	if netip.MustParsePrefix("64:ff9b::/96").Contains(addr) {
		bytes := addr.As16()
		return isPublic(netip.AddrFrom4([4]byte(bytes[12:])))
	}
	if addr.Is6() && !netip.MustParsePrefix("2000::/3").Contains(addr) {
		return false
	}
	return !slices.ContainsFunc(special(), func(block string) bool {
		return netip.MustParsePrefix(block).Contains(addr)
	})
}

// special are the blocks of IANA's special-purpose address registries (RFC 6890,
// as of 2024) that are not globally reachable, or lead elsewhere than they say.
func special() []string {
	return []string{
		"0.0.0.0/8",        // this host
		"10.0.0.0/8",       // private
		"100.64.0.0/10",    // shared by a provider's customers (CGNAT)
		"127.0.0.0/8",      // loopback
		"168.63.129.16/32", // Azure's host, from within its machines
		"169.254.0.0/16",   // link-local; clouds have their metadata there
		"172.16.0.0/12",    // private
		"192.0.0.0/24",     // protocol assignments
		"192.0.2.0/24",     // documentation
		"192.88.99.0/24",   // 6to4 relays
		"192.168.0.0/16",   // private
		"198.18.0.0/15",    // benchmarks
		"198.51.100.0/24",  // documentation
		"203.0.113.0/24",   // documentation
		"224.0.0.0/4",      // multicast
		"240.0.0.0/4",      // reserved, and broadcast
		"2001::/23",        // protocol assignments, among them Teredo
		"2001:db8::/32",    // documentation
		"2002::/16",        // 6to4: an IPv4 address inside
		"3fff::/20",        // documentation
	}
}
