package handshake

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares the sent datagrams with a file, so that the encoding does not change by accident.
func golden(t *testing.T, name string, w *world) {
	t.Helper()
	var b strings.Builder
	for _, d := range w.log {
		fmt.Fprintf(&b, "%v %v > %v\n%x\n", d.at.Sub(epoch), d.from, d.to, d.bytes)
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("%s: other bytes than before; if the protocol was meant to change, run with -update\n%s", name, b.String())
	}
}

func TestBoundHandshakeIsByteForByteAsBefore(t *testing.T) {
	w, a, b := pair(t, 1, func(n int, c *Config) {
		c.Keys = []Key{NewKey([]byte("first key"), ""), NewKey([]byte("second key"), "")}[n:]
		c.Zone = wire.Zone{Name: "eu-west", Valid: n == 0}
		if n == 1 {
			c.Zone = wire.Zone{}
			c.Advertise = netip.MustParseAddrPort("[2001:db8::2]:6969")
		}
	})
	w.keep = true
	a.join(b.addr, time.Second)
	w.run(time.Second)
	golden(t, "bound", w)
}

func TestLegacyHandshakeIsByteForByteAsBefore(t *testing.T) {
	w, a, g := mixed(t, 1, nil)
	w.keep = true
	a.join(g.addr, time.Second)
	w.run(time.Second)
	g.initiate(a.addr)
	w.run(time.Second)
	golden(t, "legacy", w)
}
