package peers

import (
	"bytes"
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md P5.
func TestIdentityIsTheNodesOwnEntry(t *testing.T) {
	w := newWorld(t)
	w.a.meta = []byte("metadata")
	w.dial()
	var m wire.Message
	for _, plain := range w.b.plains {
		if _, err := wire.ParseMessage(&m, plain); err != nil {
			t.Fatal(err)
		}
		if m.Kind == wire.KindIdentity {
			break
		}
	}
	var e wire.Member
	if err := wire.ParseIdentity(m.Data, &e); err != nil {
		t.Fatal(err)
	}
	if e.ID != w.a.id {
		t.Errorf("it is of %v, want %v", e.ID, w.a.id)
	}
	if !bytes.Equal(e.Meta, w.a.meta) {
		t.Errorf("metadata %q, want %q", e.Meta, w.a.meta)
	}
}

func TestIdentityFitsThroughAnyPath(t *testing.T) {
	for _, c := range []struct {
		name       string
		meta, text int // bytes of metadata, and of the name and the zone
		want       bool
	}{
		{"usual", 512, 20, true},
		{"much metadata", 513, 20, false},
		{"longest names", 512, 255, true},
		{"large entry", 512, 400, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			text, meta := bytes.Repeat([]byte("n"), c.text), bytes.Repeat([]byte("m"), c.meta)
			plain := identity(&w.a.ids, wire.Member{ID: w.a.id, Name: text, ZoneName: text, HasZone: true, Addr: w.a.path.Remote, Meta: meta})
			if len(plain) > identityMax {
				t.Errorf("%d bytes, at most %d pass any path", len(plain), identityMax)
			}
			if got := bytes.Contains(plain, meta); got != c.want {
				t.Errorf("it contains the metadata: %t, want %t", got, c.want)
			}
		})
	}
}
