package digest

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestDigestHasItsLayout(t *testing.T) {
	var h List
	h.Add(&Digest{Origin: 0x0102030405068708, Top: 0x1112131415161718, Below: 0x2122, Age: 0x3132, Delay: 0x4142, Lazy: true, Kept: true,
		Holes: []Hole{{0x5152, 0x5354}, {0x6162, 0x6364}}})
	want := append([]byte{1, 2, 3, 4, 5, 6, 0x87, 8, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x21, 0x22, 0x31, 0x32, 0x41, 0x42, 3, 2},
		0x51, 0x52, 0x53, 0x54, 0x61, 0x62, 0x63, 0x64)
	if !bytes.Equal(h.entries, want) {
		t.Errorf("% x, want % x", h.entries, want)
	}
	if h.Size() != MinSize+2*holeSize {
		t.Errorf("it has %d bytes", h.Size())
	}
}

func TestDigestsComeBackAsTheyWere(t *testing.T) {
	all := []Digest{
		{Origin: 1, Top: math.MaxUint64, Below: math.MaxUint16, Age: wire.DelayMax, Delay: wire.DelayMax, Holes: slices.Repeat([]Hole{{9, 1}}, HolesMax)},
		{Origin: math.MaxUint64, Lazy: true},
		{Kept: true, Top: 3, Below: 3},
		{Offer: true, Top: 3},
	}
	var h List
	for i := range all {
		h.Add(&all[i])
	}
	var d Digest
	for i, want := range all {
		if !h.Next(&d) {
			t.Fatalf("digest %d does not come back", i)
		}
		if !slices.Equal(d.Holes, want.Holes) {
			t.Errorf("digest %d has the holes %v, want %v", i, d.Holes, want.Holes)
		}
		got := d
		got.Holes, want.Holes = nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("digest %d is %+v, want %+v", i, got, want)
		}
	}
	if h.Next(&d) {
		t.Error("there is one more")
	}
}

func TestMalformedDigestEndsTheList(t *testing.T) {
	var whole List
	whole.Add(&Digest{Origin: 1, Top: 9, Below: 9, Holes: []Hole{{1, 1}}})
	for n := range whole.entries {
		h := List{whole.entries[:n]}
		if h.Next(&Digest{}) {
			t.Errorf("%d of %d bytes are a digest", n, len(whole.entries))
		}
	}
	for name, change := range map[string]func(b []byte){
		"a span beyond the top": func(b []byte) { b[17] = 10 },
		"too many holes":        func(b []byte) { b[23] = HolesMax + 1 },
	} {
		b := append(slices.Clone(whole.entries), make([]byte, 4*HolesMax)...)
		change(b)
		h := List{b}
		if h.Next(&Digest{}) {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestDigestSaysWhichMessagesItsSenderHas(t *testing.T) {
	d := Digest{Top: 20, Below: 10, Holes: []Hole{{0x0, 1}, {4, 3}}}
	for c, want := range map[uint64]bool{9: false, 10: true, 13: true, 14: false, 16: false, 17: true, 19: true, 20: false, 21: false} {
		if got := d.Has(c); got != want {
			t.Errorf("it has %d: %v, want %v", c, got, want)
		}
	}
}
