package handshake

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md X1.
func TestBlockHasTheLayoutOfTheProtocol(t *testing.T) {
	b := Block{
		Capabilities: 0x01020304, Incarnation: 0x1112131415161718, MaxDatagram: 1400,
		Heartbeat: 1500 * time.Millisecond, Name: "ab", Advertise: netip.MustParseAddrPort("192.0.2.1:6969"),
	}
	sum := binding(bytes.Repeat([]byte{0xBB}, 32))
	got := b.append(nil, roleOhai)
	setBinding(got, &sum)
	want := hex.EncodeToString([]byte("gwyh-ext")) + "01" + "02" + "004e" + "01020304" + "1112131415161718" +
		"00000578" + "000005dc" + strings.Repeat("bb", 32) + "010002" + "6162" + "020006" + "c0000201" + "1b39"
	if hex.EncodeToString(got) != want {
		t.Errorf("got  %x\nwant %s", got, want)
	}
}

func TestBlockParsesToWhatWasSaid(t *testing.T) {
	for _, b := range []Block{
		{},
		{Name: strings.Repeat("n", nameMax)},
		{HasVersions: true, Versions: [6]byte{1, 5, 2, 0, 9, 3}},
		{Advertise: netip.MustParseAddrPort("[2001:db8::7]:1"), Heartbeat: time.Second},
		{Capabilities: 1<<32 - 1, Incarnation: 1<<64 - 1, MaxDatagram: 1<<32 - 1, Heartbeat: (1<<32 - 1) * time.Millisecond},
	} {
		message := append(b.append(nil, roleHello), "padding"...)
		var got Block
		block, ok := parseBlock(&got, message, roleHello)
		switch {
		case !ok:
			t.Error("ok is false")
		case got != b:
			t.Errorf("the parsed value is %v, want %v", got, b)
		case len(block) != len(message)-len("padding"):
			t.Errorf("len(block) is %d, want %d: %v", len(block), len(message)-len("padding"), block)
		}
	}
}

func TestBlockLeavesOutWhatDoesNotFit(t *testing.T) {
	b := Block{Name: strings.Repeat("n", nameMax+1), Heartbeat: -time.Second}
	var got Block
	if _, ok := parseBlock(&got, b.append(nil, roleHello), roleHello); !ok || got != (Block{}) {
		t.Errorf("%+v", got)
	}
	b = Block{Heartbeat: 1 << 62, Advertise: netip.MustParseAddrPort("[::ffff:10.0.0.1]:5")}
	parseBlock(&got, b.append(nil, roleHello), roleHello)
	if got.Heartbeat != (1<<32-1)*time.Millisecond || got.Advertise.String() != "10.0.0.1:5" {
		t.Errorf("%+v", got)
	}
}

func TestBadBlocksAreRefused(t *testing.T) {
	good := (&Block{Name: "name"}).append(nil, roleHello)
	good = append(good, make([]byte, 9)...)
	length := func(n int) func(b []byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint16(b[10:], uint16(n)); return b }
	}
	for name, x := range map[string]struct {
		change func(b []byte) []byte
		ok     bool
	}{
		"as it is":                   {func(b []byte) []byte { return b }, true},
		"version 0":                  {func(b []byte) []byte { b[8] = 0; return b }, false},
		"version 2":                  {func(b []byte) []byte { b[8] = 2; return b }, true},
		"version 255":                {func(b []byte) []byte { b[8] = 255; return b }, true},
		"role 0":                     {func(b []byte) []byte { b[9] = 0; return b }, false},
		"role of an Ohai":            {func(b []byte) []byte { b[9] = 2; return b }, false},
		"length 63":                  {length(63), false},
		"length 0":                   {length(0), false},
		"length 64, no tail":         {length(64), true},
		"a cut TLV":                  {length(66), false},
		"a TLV that runs out":        {length(70), false},
		"longer than the message":    {length(len(good) + 1), false},
		"only the magic":             {func(b []byte) []byte { return b[:8] }, false},
		"63 bytes":                   {func(b []byte) []byte { return length(64)(b)[:63] }, false},
		"an unknown type":            {func(b []byte) []byte { b[64] = 99; return b }, true},
		"an empty TLV of any length": {func(b []byte) []byte { b[71] = 7; return length(74)(b) }, true},
	} {
		if _, ok := parseBlock(new(Block), x.change(bytes.Clone(good)), roleHello); ok != x.ok {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

// PROTOCOL.md X2.
func TestUnknownAndOddTLVsAreSkipped(t *testing.T) {
	b := (&Block{}).append(nil, roleHello)
	b = append(b, 9, 0, 3, 'x', 'y', 'z')                          // unknown
	b = append(b, tlvName, 0, nameMax+1)                           // the name is too long
	b = append(b, strings.Repeat("n", nameMax+1)...)               //
	b = append(b, tlvAddr, 0, 5, 1, 2, 3, 4, 5)                    // not an address
	b = append(b, tlvAddr, 0, 6, 10, 0, 0, 1, 0x1b, 0x39, 8, 0, 0) // an address, and an empty TLV of an unknown type
	binary.BigEndian.PutUint16(b[10:], uint16(len(b)))
	var got Block
	if _, ok := parseBlock(&got, b, roleHello); !ok || got != (Block{Advertise: netip.MustParseAddrPort("10.0.0.1:6969")}) {
		t.Errorf("%v %+v", ok, got)
	}
}

// PROTOCOL.md X2.
func TestMessagesArePaddedAtRandomTo69To96Bytes(t *testing.T) {
	rand := newSeeded(1)
	for _, x := range []struct{ block, low, high int }{{64, 69, 96}, {69, 69, 96}, {90, 90, 96}, {96, 96, 96}, {97, 97, 97}, {152, 152, 152}} {
		block := bytes.Repeat([]byte{7}, x.block)
		sizes, padding := make(map[int]bool), make(map[string]bool)
		for range 1000 {
			m := pad(block, rand)
			switch {
			case !bytes.HasPrefix(m, block):
				t.Fatalf("a block of %d bytes padded to %d", x.block, len(m))
			case len(m) < x.low:
				t.Fatalf("len(m) is %d, want at least %d: %v", len(m), x.low, m)
			case len(m) > x.high:
				t.Fatalf("len(m) is %d, want at most %d: %v", len(m), x.high, m)
			}
			sizes[len(m)], padding[string(m[x.block:])] = true, true
		}
		switch {
		case len(sizes) != x.high-x.low+1:
			t.Errorf("a block of %d bytes: len(sizes) is %d, want %d: %v", x.block, len(sizes), x.high-x.low+1, sizes)
		case x.high > x.block && len(padding) < 200:
			t.Errorf("a block of %d bytes: %d sizes, %d paddings", x.block, len(sizes), len(padding))
		}
	}
}

// TestBindingsCoverWhatTheProtocolSays writes the bindings byte by byte as PROTOCOL.md X3 specifies them.
func TestBindingsCoverWhatTheProtocolSays(t *testing.T) {
	hello := wire.Handshake{ID: wire.HandshakeID{1, 2}, PublicKey: [32]byte{3, 4}, Zone: wire.Zone{Name: "eu", Valid: true}, Timestamp: time.Unix(0, 0x0102030405060708)}
	node := wire.NodeID{5, 6}
	block := (&Block{Incarnation: 9, Name: "n"}).append(nil, roleHello)
	var m []byte
	m = append(m, "gwyh/1 hello"...)
	m = append(m, hello.ID[:]...)
	m = append(m, node[:]...)
	m = append(m, 1, 2, 3, 4, 5, 6, 7, 8)
	m = append(m, hello.PublicKey[:]...)
	m = append(m, 0, 2, 'e', 'u')
	m = append(m, block[8:32]...)
	m = append(m, block[64:]...)
	if got := helloBinding(node, &hello, block); got != blake2b.Sum256(m) {
		t.Error("the Hello's binding")
	}

	ohai := wire.Handshake{PublicKey: [32]byte{7}, Challenge: [69]byte{8, 68: 9}}
	heard := binding{10}
	block = (&Block{Capabilities: 3}).append(nil, roleOhai)
	m = append(m[:0], "gwyh/1 ohai"...)
	m = append(m, heard[:]...)
	m = append(m, node[:]...)
	m = append(m, ohai.PublicKey[:]...)
	m = append(m, 0xFF, 0xFF)
	m = append(m, 0, 69)
	m = append(m, ohai.Challenge[:]...)
	shared := [32]byte{11, 31: 12}
	m = append(m, shared[:]...)
	m = append(m, block[8:32]...)
	if got := ohaiBinding(&heard, node, &ohai, &shared, block); got != blake2b.Sum256(m) {
		t.Error("the Ohai's binding")
	}

	m = append(m[:0], "gwyh/1 hello"...)
	m = append(m, hello.ID[:]...)
	m = append(m, node[:]...)
	m = append(m, 1, 2, 3, 4, 5, 6, 7, 8)
	m = append(m, hello.PublicKey[:]...)
	m = append(m, 0, 2, 'e', 'u')
	m = append(m, make([]byte, 24)...)
	if got := helloBinding(node, &hello, blankBlock[:]); got != blake2b.Sum256(m) {
		t.Error("the binding of a legacy Hello")
	}
}

// TestKeyedHashesAreWhatTheProtocolSays writes part 4's keyed hashes byte by byte (PROTOCOL.md S1).
func TestKeyedHashesAreWhatTheProtocolSays(t *testing.T) {
	keyed := func(key []byte, parts ...string) (out [64]byte) {
		h, err := blake2b.New512(key)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			h.Write([]byte(p))
		}
		h.Sum(out[:0])
		return out
	}
	plain := blake2b.Sum512([]byte("psk"))
	key, labeled := NewKey([]byte("psk"), ""), NewKey([]byte("psk"), "label")
	if key.k != plain || labeled.k != keyed(plain[:], "gwyh/1 label", "label") {
		t.Error("the key or its label")
	}
	if key.ID() == labeled.ID() || key.ID() != NewKey([]byte("psk"), "").ID() {
		t.Error("the ids of keys")
	}
	sum, shared, claim := binding{1, 2}, [32]byte{3, 4}, nodeid.Claim{5, 47: 6}
	proof := keyed(plain[:], "gwyh/1 id", string(sum[:]), string(shared[:]))
	id := key.identify(&sum, &claim, &shared)
	if string(id[:]) != string(claim[:])+string(proof[:16]) {
		t.Error("the proof of the id")
	}
	if key.okBoss(&sum, &id) != keyed(plain[:], "gwyh/1 okboss", string(sum[:]), string(id[:])) {
		t.Error("the OkBoss")
	}
	a, b := key.sessionKeys(&secrets{{3, 4}, {5}, {6}}, &sum)
	if both := keyed(plain[:], "gwyh/1 keys", string(shared[:]), string([]byte{5, 31: 0}), string([]byte{6, 31: 0}), string(sum[:])); string(both[:]) != string(a[:])+string(b[:]) {
		t.Error("the session's keys")
	}
}
