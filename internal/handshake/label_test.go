package handshake

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md K2.
func TestRingOfSeveralLabelsHasNoMoreEntriesThanOneOfKeys(t *testing.T) {
	p, q, r := []byte("p"), []byte("q"), []byte("r")
	for name, c := range map[string]struct{ got, want []Key }{
		"one label":             {NewKeys([][]byte{p, q, r}, "l"), []Key{NewKey(p, "l"), NewKey(q, "l"), NewKey(r, "l")}},
		"two labels":            {NewKeys([][]byte{p}, "l", ""), []Key{NewKey(p, "l"), NewKey(p, "")}},
		"two labels, many keys": {NewKeys([][]byte{p, q, r}, "l", "m"), []Key{NewKey(p, "l"), NewKey(p, "m"), NewKey(q, "l"), NewKey(q, "m")}},
		"no key":                {NewKeys(nil, "l", "m"), nil},
	} {
		ids := func(keys []Key) (list string) {
			for _, k := range keys {
				list += fmt.Sprintf("%x ", k.ID())
			}
			return list
		}
		if ids(c.got) != ids(c.want) {
			t.Errorf("%s: %s, want %s", name, ids(c.got), ids(c.want))
		}
	}
}

func TestNodeOfTwoLabelsShakesHandsWithNodesOfEither(t *testing.T) {
	shared := [][]byte{[]byte("secret"), []byte("secret 2")}
	for name, c := range map[string]struct {
		theirs []string
		want   bool
	}{
		"without label": {[]string{""}, true}, "its own": {[]string{"new"}, true},
		"also of two": {[]string{"new", ""}, true}, "two others, one known": {[]string{"newer", "new"}, true},
		"another": {[]string{"newer"}, false},
	} {
		for _, first := range []bool{true, false} {
			w, a, b := pair(t, 1, func(n int, conf *Config) {
				labels := []string{"new", ""}
				if (n == 1) == first {
					labels = c.theirs
				}
				conf.Keys, conf.Labeled = NewKeys(shared, labels...), true
			})
			a.join(b.addr, 2*time.Second)
			w.run(3 * time.Second)
			if got := a.confirmed(b.id()); got != c.want {
				t.Errorf("%s, node of two labels begins %v: %v", name, first, got)
			}
		}
	}
}

func TestForgedHelloCostsNoMoreVerificationsWithTwoLabels(t *testing.T) {
	r := newRing(NewKeys([][]byte{[]byte("p"), []byte("q"), []byte("r"), []byte("s")}, "new", "old"))
	var b budget
	a := b.open(epoch, proven, netip.MustParseAddr("192.0.2.1"))
	forged := wire.Handshake{Step: wire.StepHello, Timestamp: epoch, Hmacs: make([]wire.Hmac, 10)}
	if _, _, why := r.find(&forged, &a); why != BadKey {
		t.Error(why)
	}
	if spent := b.spent[proven]; spent != verificationsMax {
		t.Errorf("%d verifications, want %d", spent, verificationsMax)
	}
}
