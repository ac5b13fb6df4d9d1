package agent

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

func TestMessagesAreReadBack(t *testing.T) {
	for _, m := range []api.Message{{Name: "n", Origin: "o", Payload: []byte("p")}, {Name: strings.Repeat("n", nameMax), Origin: "", Payload: []byte{}}} {
		got := decode(encode(m.Origin, m.Name, m.Payload))
		if got.Name != m.Name || got.Origin != m.Origin || !bytes.Equal(got.Payload, m.Payload) {
			t.Errorf("%+v, want %+v", got, m)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(encode("ann", "deploy", []byte("v1")))
	f.Add([]byte("gwa1\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Add([]byte("gwa1\x05"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := decode(b)
		if len(m.Name) > nameMax || len(m.Origin) > nameMax || len(m.Payload) > len(b) {
			t.Errorf("%+v", m)
		}
	})
}

func TestMessagesHaveNamesThatCanBePrinted(t *testing.T) {
	for _, name := range []string{"", strings.Repeat("n", nameMax+1), "a\nb", "a\x7f", "\xff"} {
		if checkName(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
	if err := checkName("déploy to prod"); err != nil {
		t.Error(err)
	}
}
