package resolve

import (
	"net/netip"
	"strings"
	"testing"
)

// ownHere reports whether ip is 10.0.0.2 or fd00::3, the addresses of this machine in the tests.
func ownHere(ip netip.Addr) bool {
	return ip == netip.MustParseAddr("10.0.0.2") || ip == netip.MustParseAddr("fd00::3")
}

func TestBindAddressStandsForOneAddressOfThisMachine(t *testing.T) {
	for in, want := range map[string]string{
		"":                "0.0.0.0",
		"0.0.0.0":         "0.0.0.0",
		"::":              "::",
		"192.0.2.1":       "192.0.2.1", // the socket finds out whether it is this machine's
		"::ffff:10.0.0.1": "10.0.0.1",
		"fe80::1%eth0":    "fe80::1%eth0",
		"pods":            "10.0.0.2",
		"six":             "fd00::3",
		"mixed":           "10.0.0.2",
	} {
		got, err := Bind(t.Context(), in, lookup, ownHere)
		if err != nil || got.String() != want {
			t.Errorf("%q: %v %v, want %s", in, got, err, want)
		}
	}
}

func TestBindAddressThatIsNotOfThisMachineIsAnErrorThatSaysWhatItResolvesTo(t *testing.T) {
	for in, want := range map[string]string{
		"elsewhere":       `bind address "elsewhere": it resolves to [10.0.0.9 fd00::9], and none of these is an address of this machine`,
		"empty":           `bind address "empty": it resolves to [], and none`,
		"nowhere":         `bind address "nowhere": no such host`,
		"10.0.0.300":      `bind address "10.0.0.300" is neither an IP address nor a host name`,
		"10.0.0.2:80":     "neither",
		"[::1]":           "neither",
		"a b":             "neither",
		"node\n":          "neither",
		"a..b":            "neither",
		".":               "neither",
		"-a":              "neither",
		"1.2.3":           "neither",
		longName(255):     "neither",
		longLabel:         "neither",
		"224.0.0.1":       `bind address "224.0.0.1": it is a multicast address`,
		"255.255.255.255": "broadcast",
	} {
		got, err := Bind(t.Context(), in, lookup, ownHere)
		if err == nil || got.IsValid() || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v %v, want %s", in, got, err, want)
		}
	}
}

func TestHostNamesInUseHaveTheFormOfOne(t *testing.T) {
	for _, s := range []string{"localhost", "node-1", "node_1", "10-0-0-1.pods.cluster.local.", "1a", longName(253)} {
		if !IsHost(s) {
			t.Errorf("%q is none", s)
		}
	}
}

func TestLoopbackIsOfThisMachineAndADocumentationAddressIsNot(t *testing.T) {
	for ip, want := range map[string]bool{"127.0.0.1": true, "0.0.0.0": true, "203.0.113.77": false} {
		if got := Own(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %v", ip, got)
		}
	}
}

var longLabel = strings.Repeat("a", 64)

// longName returns a name of n bytes.
func longName(n int) string { return strings.Repeat("a.", n/2) + strings.Repeat("b", n%2) }
