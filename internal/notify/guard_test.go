package notify

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
)

func TestGuard(t *testing.T) {
	refused := strings.Fields(`
		0.0.0.0 0.255.255.255 10.0.0.1 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.255
		168.63.129.16 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1
		192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1
		255.255.255.255 :: ::1 ::7f00:1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:169.254.169.254 ::ffff:0:0
		64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::8.8.8.8 100::1 2001::1 2001:2::1 2001:10::1 2001:20::1
		2001:db8::1 2002:7f00:1:: 2002:808:808::1 3fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0
		fec0::1 ff02::1 ff0e::1 2606:4700::1%eth0 ::ffff:8.8.8.8%eth0`)
	passed := strings.Fields(`
		1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 168.63.129.17
		169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255
		198.20.0.0 223.255.255.255 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2001:200::1 2001:4860:4860::8888 2606:4700::1111
		2a00:1450::1`)
	for _, s := range refused {
		if err := (guard{}).check(netip.MustParseAddr(s)); !errors.Is(err, errForbidden) {
			t.Errorf("%s: %v, want it refused", s, err)
		}
	}
	for _, s := range passed {
		if err := (guard{}).check(netip.MustParseAddr(s)); err != nil {
			t.Error(err)
		}
	}
}

func TestGuardAllowsNetworks(t *testing.T) {
	g := guard{allowed: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128")}}
	for s, want := range map[string]bool{
		"10.1.2.3:443": true, "[::ffff:10.1.2.3]:443": true, "[::1]:80": true, "8.8.8.8:443": true,
		"10.2.0.1:443": false, "127.0.0.1:443": false, "[::1%lo]:80": false, "[64:ff9b::a01:203]:443": false,
		"": false, "10.1.2.3": false, "localhost:80": false,
	} {
		if err := g.control("tcp", s, nil); (err == nil) != want || err != nil && !errors.Is(err, errForbidden) {
			t.Errorf("%s: %v, want it allowed: %v", s, err, want)
		}
	}
}

// FuzzGuard gives a webhook any host and looks at the address that its dialer would
// connect to: one that the oracle knows as special must have been refused. No
// connection is made and no name server asked.
func FuzzGuard(f *testing.F) {
	for _, host := range strings.Fields(`
		127.0.0.1 localhost 2130706433 0x7f.1 0x7f000001 0177.0.0.1 017700000001 127.1 127.0.0.1. 0 [::1] [::] [::ffff:7f00:1]
		[::ffff:127.0.0.1] [64:ff9b::a9fe:a9fe] [2002:7f00:1::] [fe80::1%25lo] [fd00:ec2::254] 169.254.169.254:80 [::127.0.0.1]
		①②⑦.0.0.1 １２７.0.0.1 127。0。0。1 8.8.8.8 [2606:4700::1111]:8443 127.0.0.1%00.example.com 127.0.0.1#@8.8.8.8 8.8.8.8@127.0.0.1`) {
		f.Add(host, []byte(net.ParseIP("::ffff:10.0.0.1")))
	}
	f.Fuzz(func(t *testing.T, host string, raw []byte) {
		if addr, ok := netip.AddrFromSlice(raw); ok && (guard{}).check(addr) == nil && isSpecial(net.IP(raw)) {
			t.Errorf("%s passes the guard", addr)
		}
		hook, err := NewWebhook(WebhookOptions{URL: NewSecret("https://" + host + "/x"), Secrets: NewSecret(specSecret), Now: fixedNow})
		if err != nil {
			return
		}
		guarded := hook.dialer.Control
		hook.dialer.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("no name server in this test")
		}}
		hook.dialer.Control = func(network, address string, c syscall.RawConn) error {
			ip, _, _ := net.SplitHostPort(address)
			ip, _, _ = strings.Cut(ip, "%")
			if err := guarded(network, address, c); err == nil && isSpecial(net.ParseIP(ip)) {
				t.Errorf("host %q: connects to %s", host, address)
			}
			return errors.New("no connection in this test")
		}
		if err := hook.Send(t.Context(), groceries()); err == nil || strings.Contains(err.Error(), "/x") {
			t.Errorf("host %q: %v", host, err)
		}
	})
}

// isSpecial is an oracle beside the guard: package net's own opinion and IANA's
// lists as net.IPNet, with what IPv6 embeds taken out.
func isSpecial(ip net.IP) bool {
	if v6 := ip.To16(); ip.To4() == nil && v6 != nil {
		switch {
		case strings.HasPrefix(string(v6), "\x00\x64\xff\x9b\x00\x00\x00\x00\x00\x00\x00\x00"), // NAT64
			strings.HasPrefix(string(v6), strings.Repeat("\x00", 12)): // IPv4-compatible
			return isSpecial(v6[12:])
		case strings.HasPrefix(string(v6), "\x20\x02"): // 6to4
			return isSpecial(v6[2:6])
		}
	}
	if ip == nil || !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return true
	}
	for _, block := range strings.Fields(`
		0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4
		64:ff9b:1::/48 100::/64 2001::/32 2001:2::/48 2001:10::/28 2001:20::/28 2001:db8::/32 3fff::/20 5f00::/16
		fec0::/10`) {
		_, network, err := net.ParseCIDR(block)
		if err != nil {
			panic(err)
		}
		if network.Contains(ip) {
			return true
		}
	}
	return false
}
