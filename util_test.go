package gwyh

import (
	"net"
	"testing"
)

func TestLogLinesNameThePeer(t *testing.T) {
	addr := &net.UDPAddr{IP: net.IPv4(1, 2, 3, 4), Port: 5}
	conn, other := net.Pipe()
	defer func() { _, _ = conn.Close(), other.Close() }()
	for got, want := range map[string]string{
		LogAddress(addr):             "from=1.2.3.4:5",
		LogAddress(nil):              "from=<unknown address>",
		LogStringAddress("[::1]:5"):  "from=[::1]:5",
		LogStringAddress(""):         "from=<unknown address>",
		LogConn(conn):                "from=pipe",
		LogConn(nil) + " (conn nil)": "from=<unknown address> (conn nil)",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestStrategiesHaveNames(t *testing.T) {
	for s, want := range map[DistributionStrategy]string{
		Uniform: "Uniform", HubAndSpoke: "HubAndSpoke", PreferLocal: "PreferLocal", PreferRemote: "PreferRemote", Nearest: "Nearest",
		5: "DistributionStrategy(5)", -1: "DistributionStrategy(-1)",
	} {
		if s.String() != want {
			t.Errorf("%q, want %q", s, want)
		}
	}
}
