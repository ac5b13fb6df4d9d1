package wire

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The expected bytes follow the layouts of PROTOCOL.md P13.
func TestBeaconBodiesHaveTheirLayout(t *testing.T) {
	id := MessageID{15: 1}
	const head = "92c41000000000000000000000000000000001" + "81"
	for want, got := range map[string][]byte{
		head + "a6426561636f6e" + "92" + "cd012c" + "c402" + "0102": AppendCast(nil, KindBeacon, id, 300, []byte{1, 2}),
		head + "a5436c6f636b" + "93" + "cd012c" + "00" + "07":       AppendClock(nil, id, Clock{Sent: 300, Held: 7}),
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

func TestLaterVersionsOfClocksAreReadAndBrokenOnesRefused(t *testing.T) {
	if c, err := ParseClock(seq(num(7), num(8), num(9), oddValues)); err != nil || c != (Clock{Sent: 7, Echo: 8, Held: 9}) {
		t.Errorf("%+v %v", c, err)
	}
	for i, b := range variants(seq(num(7), num(8)), seq(null, num(8), num(9)), seq(num(7), num(8), num(1<<32))) {
		if _, err := ParseClock(b); err != ErrMalformed {
			t.Errorf("Clock %d: %v", i, err)
		}
	}
}
