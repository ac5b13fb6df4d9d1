package nodeid

import (
	"bytes"
	"testing"

	"golang.org/x/crypto/blake2b"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func draw(t *testing.T, n byte) (wire.NodeID, *Secret) {
	t.Helper()
	id, s, err := New(bytes.NewReader(bytes.Repeat([]byte{n}, 48)), X25519)
	if err != nil {
		t.Fatal(err)
	}
	return id, s
}

// PROTOCOL.md N1.
func TestIDIsAUUIDOfVersion8ThatItsClaimProves(t *testing.T) {
	id, s := draw(t, 7)
	if !id.IsGo() || s.Claim.ID() != id {
		t.Errorf("the id is %v, that of the claim %v", id, s.Claim.ID())
	}
	if other, _ := draw(t, 8); other == id {
		t.Error("two nodes have one id")
	}
	for i := range s.Claim {
		c := s.Claim
		if c[i]++; c.ID() == id {
			t.Errorf("the claim with another byte %d has the same id", i)
		}
	}
	mine, _ := s.Key.Agree(&[32]byte{9})
	key, public := X25519((*[32]byte)(bytes.Repeat([]byte{7}, 32)))
	if theirs, _ := key.Agree(&[32]byte{9}); mine != theirs || *s.Claim.Key() != public {
		t.Error("the key is not that of the first 32 bytes")
	}
	if _, _, err := New(bytes.NewReader(make([]byte, 47)), X25519); err == nil {
		t.Error("no error without randomness")
	}
}

// TestIDIsMadeAsTheProtocolSays makes an id byte by byte (PROTOCOL.md N1).
func TestIDIsMadeAsTheProtocolSays(t *testing.T) {
	uuid := func(b []byte) []byte {
		sum := blake2b.Sum256(b)
		sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
		return sum[:16]
	}
	id, s := draw(t, 7)
	e := bytes.Repeat([]byte{7}, 16)
	e[6], e[8] = 0x87, 0x87
	key := blake2b.Sum256(s.Claim.Key()[:])
	var first []byte
	for n := range DeparturesMax {
		if first = e; n == 0 {
			if p := s.Departure(DeparturesMax); !bytes.Equal(p[:], append(bytes.Clone(e), key[:16]...)) {
				t.Error("the proof of the last departure does not have the secret")
			}
		}
		e = uuid(e)
	}
	if p := s.Departure(1); !bytes.Equal(p[:], append(bytes.Clone(first), key[:16]...)) {
		t.Error("the proof of the first departure is another")
	}
	if !bytes.Equal(s.Claim[:16], e) || !bytes.Equal(id[:], uuid(append(bytes.Clone(e), key[:16]...))) {
		t.Error("the claim or the id is another")
	}
}

func TestProofsOfDeparturesAreOfTheirNodeAndInOrder(t *testing.T) {
	id, s := draw(t, 7)
	other, o := draw(t, 8)
	for n := 1; n <= DeparturesMax; n++ {
		p := s.Departure(n)
		if got := Departures(id, &p); got != uint8(n) {
			t.Errorf("the proof of departure %d proves %d", n, got)
		}
		if got := Departures(other, &p); got != 0 {
			t.Errorf("it proves departure %d of another node", got)
		}
	}
	public := s.Departure(0) // what the node shows in handshakes
	mixed, foreign := s.Departure(1), o.Departure(1)
	copy(mixed[16:], foreign[16:])
	for name, p := range map[string]wire.Proof{"no proof": {}, "what all know": public, "the key of another node": mixed} {
		if n := Departures(id, &p); n != 0 {
			t.Errorf("%s proves departure %d", name, n)
		}
	}
}

func TestSecretsOfTwoKeysAreShared(t *testing.T) {
	for name, agreement := range map[string]Agreement{"X25519": X25519, "none": NoAgreement} {
		a, pa := agreement(&[32]byte{1})
		b, pb := agreement(&[32]byte{2})
		ab, ok1 := a.Agree(&pb)
		ba, ok2 := b.Agree(&pa)
		if !ok1 || !ok2 || ab != ba {
			t.Errorf("%s: %x and %x", name, ab, ba)
		}
	}
}

// keeper is a source of randomness that keeps the memory that it has filled.
type keeper [][]byte

func (k *keeper) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 0xa5
	}
	*k = append(*k, b)
	return len(b), nil
}

func TestRandomBytesOfAnIDAreWiped(t *testing.T) {
	var k keeper
	if _, _, err := New(&k, X25519); err != nil || len(k) == 0 {
		t.Fatal(err)
	}
	for _, b := range k {
		if !bytes.Equal(b, make([]byte, len(b))) {
			t.Errorf("%x is left in memory", b)
		}
	}
}
