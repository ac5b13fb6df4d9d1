package wire

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// A conversation was recorded between a probe and a running gwyh 0.1 node (testdata/transcripts.json).
type conversation struct {
	Name      string
	Datagrams []struct {
		From      string
		Hex       string
		Note      string
		Flags     []string
		Decrypted string `json:"decrypted_hex"`
	}
}

func conversations(t testing.TB) []conversation {
	var list []conversation
	readJSON(t, "transcripts.json", &list)
	return list
}

// sameUpTo reports whether got equals want or, if want was recorded with trailing bytes, the start of want.
func sameUpTo(got, want []byte, trailing bool) bool {
	if trailing {
		return len(got) < len(want) && bytes.HasPrefix(want, got)
	}
	return bytes.Equal(got, want)
}

func TestRecordedDatagramsAreReadAndWrittenBack(t *testing.T) {
	for _, c := range conversations(t) {
		for _, d := range c.Datagrams {
			want := unhex(t, d.Hex)
			p := parsePacket(t, want)
			got := encodePacket(t, &p)
			if !sameUpTo(got, want, slices.Contains(d.Flags, "trailing_outer")) {
				t.Errorf("%s, %s: %s:\n got %x\nwant %x", c.Name, d.From, d.Note, got, want)
			}
		}
	}
}

func TestRecordedMessagesAreReadAndWrittenBack(t *testing.T) {
	for _, c := range conversations(t) {
		for _, d := range c.Datagrams {
			if d.Decrypted == "" {
				continue
			}
			want := unhex(t, d.Decrypted)
			var m Message
			rest, err := ParseMessage(&m, bytes.Clone(want))
			switch {
			case err != nil:
				t.Fatalf("%s: %v", c.Name, err)
			case m.Kind == KindUnknown:
				t.Fatalf("%s: the kind is %v, want anything but %v", c.Name, m.Kind, KindUnknown)
			case !strings.Contains(d.Note, m.Kind.String()):
				t.Fatalf("%s: d.Note lacks %q:\n%v", c.Name, m.Kind.String(), d.Note)
			}
			trailing := slices.Contains(d.Flags, "trailing_inner")
			if trailing != (len(rest) > 0) {
				t.Errorf("%s: %s: %d bytes left", c.Name, d.Note, len(rest))
			}
			if strings.Contains(d.Note, "bin32 header") {
				continue // a wider head than either implementation sends
			}
			arrays, bin := encodeMessage(t, &m, Arrays), encodeMessage(t, &m, Bin)
			if !sameUpTo(arrays, want, trailing) && !sameUpTo(bin, want, trailing) {
				t.Errorf("%s: %s:\n got %x\n or %x\nwant %x", c.Name, d.Note, arrays, bin, want)
			}
		}
	}
}
