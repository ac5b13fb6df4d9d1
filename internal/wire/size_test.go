package wire

import "testing"

func TestBoxNeverExceedsItsSize(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 1200, 65535, 65536, 70000} {
		for _, seq := range []uint32{0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 1 << 16, 1<<32 - 1} {
			b, tag, data := ReserveBox([]byte("before"), seq, NodeID{}, new([24]byte), n)
			size := len(b) - len("before")
			switch {
			case size > BoxSize(n):
				t.Errorf("seq %d, %d bytes: size is %v, want at most %v", seq, n, size, BoxSize(n))
			case seq > 0xffff && size != BoxSize(n):
				t.Errorf("seq %d, %d bytes: %d, BoxSize %d", seq, n, size, BoxSize(n))
			}
			if n <= 0xffff && size > n+BoxOverhead {
				t.Errorf("seq %d, %d bytes: %d, with BoxOverhead %d", seq, n, size, n+BoxOverhead)
			}
			switch {
			case len(tag) != 16:
				t.Errorf("len(tag) is %d, want 16: %v", len(tag), tag)
			case cap(tag) != 16:
				t.Errorf("the tag has a capacity of %v, want 16", cap(tag))
			case len(data) != n:
				t.Errorf("the data has %v bytes, want %v", len(data), n)
			case cap(data) != n:
				t.Errorf("the data has a capacity of %v, want %v", cap(data), n)
			}
		}
	}
}

func TestBroadcastNeverExceedsItsOverhead(t *testing.T) {
	for _, n := range []int{0, 255, 256, 65535, 65536} {
		if got := len(AppendBroadcast(nil, Bin, MessageID{}, make([]byte, n))); got > n+BroadcastOverhead {
			t.Errorf("%d bytes take %d", n, got)
		}
	}
}
