package broadcast

import "testing"

// PROTOCOL.md Q4. Most packets of a link may carry pieces of large messages or nothing but heartbeats: lost ones of them
// say no more about the link than the small messages that arrive.
func TestLossOfALinkIsThatOfItsPackets(t *testing.T) {
	for _, c := range []struct {
		name            string
		arrived, missed uint64
		least, most     float64
	}{
		{"a new link", 0, 0, 0.002, 0.004},
		{"1 MiB without loss", 900, 0, 0, 0.001},
		{"1 MiB with 1 % loss", 900, 9, 0.009, 0.011},
		{"1 MiB with 5 % loss", 900, 47, 0.045, 0.055},
	} {
		n := Neighbor{Arrived: c.arrived, Missed: c.missed}
		if got := n.loss(); got < c.least || got > c.most {
			t.Errorf("%s: %.4f, want %v to %v", c.name, got, c.least, c.most)
		}
	}
}
