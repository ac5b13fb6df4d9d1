package memnet

import (
	"net/netip"
	"testing"
)

func TestAddressesAreNeverGivenOutTwice(t *testing.T) {
	var d Directory[netip.AddrPort]
	own := func(a netip.AddrPort) netip.AddrPort { return a }
	seen := map[netip.AddrPort]bool{}
	for range 65535 {
		seen[d.Add("", own)] = true
	}
	if a := d.Add("", own); len(seen) != 65535 || a.String() != "127.0.0.2:1" {
		t.Errorf("%d addresses, then %s", len(seen), a)
	}
}

func TestNodeIsFoundByNameThenByAddress(t *testing.T) {
	var d Directory[string]
	add := func(name, node string) (addr string) {
		d.Add(name, func(a netip.AddrPort) string { addr = a.String(); return node })
		return addr
	}
	want := func(addr, name, node string) {
		t.Helper()
		if got, ok := d.Find(addr, name); got != node || ok != (node != "") {
			t.Errorf("at %q, named %q: %q, %v, want %q", addr, name, got, ok, node)
		}
	}
	want("127.0.0.1:1", "a", "")
	a, old := add("a", "a"), add("b", "old")
	b := add("b", "new")
	want(old, "b", "old")
	want(a, "b", "new")
	want("192.0.2.1:9", "b", "new")
	want(old, "", "old")
	want(old, "of nobody", "old")
	d.Remove(old)
	want("", "b", "new")
	want(old, "", "")
	d.Remove(b)
	d.Remove(b)
	want("", "b", "")
	want(a, "b", "a")
}
