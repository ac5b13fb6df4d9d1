package resolve

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func lookup(_ context.Context, _, host string) ([]netip.Addr, error) {
	switch host {
	case "pods":
		return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::ffff:10.0.0.2"),
			netip.MustParseAddr("fd00::3"), netip.MustParseAddr("10.0.0.1")}, nil
	case "six":
		return []netip.Addr{netip.MustParseAddr("fd00::2"), netip.MustParseAddr("fd00::3")}, nil
	case "mixed":
		return []netip.Addr{netip.MustParseAddr("fd00::3"), netip.MustParseAddr("10.0.0.2")}, nil
	case "elsewhere":
		return []netip.Addr{netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("fd00::9")}, nil
	case "empty":
		return nil, nil
	}
	return nil, errors.New("no such host")
}

func TestAddressForms(t *testing.T) {
	for _, c := range []struct{ in, name, want string }{
		{"10.1.2.3", "", "[10.1.2.3:6969]"},
		{"10.1.2.3:80", "", "[10.1.2.3:80]"},
		{"node-1/10.1.2.3:80", "node-1", "[10.1.2.3:80]"},
		{"node-1/10.1.2.3", "node-1", "[10.1.2.3:6969]"},
		{"::1", "", "[[::1]:6969]"},
		{"[::1]", "", "[[::1]:6969]"},
		{"[fd00::1]:80", "", "[[fd00::1]:80]"},
		{"node-1/[fd00::1]:80", "node-1", "[[fd00::1]:80]"},
		{"2001:db8::1:15", "", "[[2001:db8::1:15]:6969]"},
		{"2001:db8::7946", "", "[[2001:db8::7946]:6969]"},
		{"2001:db8::1:a946", "", "[[2001:db8::1:a946]:6969]"},
		{"1:2:3:4:5:6:7:7946", "", "[[1:2:3:4:5:6:7:7946]:6969]"},
		{"[::1:7946]", "", "[[::1:7946]:6969]"},
		{"pods", "", "[10.0.0.1:6969 10.0.0.2:6969 [fd00::3]:6969]"},
		{"pods:7", "", "[10.0.0.1:7 10.0.0.2:7 [fd00::3]:7]"},
	} {
		name, got, err := Address(t.Context(), c.in, 6969, lookup)
		if err != nil || name != c.name || fmt.Sprint(got) != c.want {
			t.Errorf("%q: %q %v %v, want %q %s", c.in, name, got, err, c.name, c.want)
		}
	}
}

func TestBadAddressesNameThemselves(t *testing.T) {
	for _, in := range []string{"", "/10.0.0.1", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:x", "10.0.0.1:", "[::1", "[::1]x:1", "nowhere:1", "empty", ":80"} {
		if _, got, err := Address(t.Context(), in, 6969, lookup); err == nil {
			t.Errorf("%q: %v, want an error", in, got)
		} else if want := fmt.Sprintf("address %q: ", in); len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
			t.Errorf("%q: error %q does not name it", in, err)
		}
	}
}

func TestIPv6AddressThatMayEndInAPortIsAmbiguous(t *testing.T) {
	for in, want := range map[string]string{
		"::1:7946":             `address "::1:7946": ambiguous: write [::1]:7946 if 7946 is a port, and [::1:7946] if it belongs to the address`,
		"a/fd00::1:6969":       `address "a/fd00::1:6969": ambiguous: write [fd00::1]:6969`,
		"fe80::1%eth0:6969":    "needs brackets before a port: write [fe80::1%eth0]:6969",
		"::1:17946":            "needs brackets before a port: write [::1]:17946",
		"1:2:3:4:5:6:7:8:6969": "needs brackets before a port",
	} {
		_, got, err := Address(t.Context(), in, 6969, lookup)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v %v, want %s", in, got, err, want)
		}
	}
}
