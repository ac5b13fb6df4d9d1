package wire

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
)

// The expected bytes follow the layouts of PROTOCOL.md P11.
func TestProbeBodiesHaveTheirLayout(t *testing.T) {
	id := MessageID{15: 1}
	target := NodeID{0: 0xab, 6: 0x80}
	const head = "92c41000000000000000000000000000000001" + "81"
	for want, got := range map[string][]byte{
		head + "a850726f6265466f72" + "93" + "07" + "c410ab000000000080000000000000000000" + "c4060a0102031b39": AppendProbeFor(nil, id, ProbeFor{Seq: 7, Target: target, Addr: netip.MustParseAddrPort("10.1.2.3:6969")}),
		head + "ab50726f6265526573756c74" + "92" + "cd012c" + "01":                                              AppendProbeResult(nil, id, ProbeResult{Seq: 300, Answered: true}),
	} {
		b, err := hex.DecodeString(want)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, b) {
			t.Errorf("\n got %x\nwant %s", got, want)
		}
	}
}

func TestLaterVersionsOfProbesAreReadAndBrokenOnesRefused(t *testing.T) {
	addr := bin([]byte{10, 1, 2, 3, 0x1b, 0x39})
	switch p, err := ParseProbeFor(seq(num(7), bin(id1), addr, oddValues)); {
	case err != nil:
		t.Error(err)
	case p.Seq != 7:
		t.Errorf("the packet number is %v, want 7", p.Seq)
	case p.Addr.String() != "10.1.2.3:6969":
		t.Errorf("p.Addr.String() is %q, want %q", p.Addr.String(), "10.1.2.3:6969")
	}
	if r, err := ParseProbeResult(seq(num(7), num(2), null)); err != nil || !r.Answered {
		t.Errorf("%+v %v", r, err)
	}
	for i, b := range variants(seq(num(7), bin(id1)), seq(num(7), bin(id1[:15]), addr), seq(num(7), bin(id1), bin(id1[:5])), seq(null, bin(id1), addr)) {
		if _, err := ParseProbeFor(b); err != ErrMalformed {
			t.Errorf("ProbeFor %d: %v", i, err)
		}
	}
	for i, b := range variants(seq(num(7)), seq(num(7), num(256)), seq(null, num(1))) {
		if _, err := ParseProbeResult(b); err != ErrMalformed {
			t.Errorf("ProbeResult %d: %v", i, err)
		}
	}
}
