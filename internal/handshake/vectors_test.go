package handshake

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A vector is one entry of testdata/gwyh-0.1.json, computed by the original implementation.
type vector struct {
	Name   string
	Inputs map[string]string
	Hex    string
}

func loadVectors(t *testing.T, prefix string, atLeast int) (list []vector) {
	t.Helper()
	var all []struct {
		Name   string
		Inputs map[string]any
		Hex    string
	}
	readJSON(t, "../../testdata/gwyh-0.1.json", &all)
	for _, v := range all {
		if !strings.HasPrefix(v.Name, prefix) {
			continue
		}
		in := make(map[string]string)
		for k, x := range v.Inputs {
			if s, ok := x.(string); ok {
				in[k] = s
			}
		}
		list = append(list, vector{v.Name, in, v.Hex})
	}
	if len(list) < atLeast {
		t.Fatalf("%d vectors named %s, want %d", len(list), prefix, atLeast)
	}
	return list
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(path, err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// PROTOCOL.md C1.
func TestKeyHashIsTheOriginals(t *testing.T) {
	for _, v := range loadVectors(t, "psk_hash_", 3) {
		k := NewKey([]byte(v.Inputs["psk_utf8"]), "")
		if hex.EncodeToString(k.k[:]) != v.Hex {
			t.Error(v.Name)
		}
	}
}

// PROTOCOL.md C2.
func TestHmacIsTheOriginals(t *testing.T) {
	for _, v := range loadVectors(t, "hmac_", 14) {
		k := NewKey([]byte(v.Inputs["psk_utf8"]), "")
		nanos, err := strconv.ParseInt(v.Inputs["timestamp_hashed_string"], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		got := k.hmac(unhex(t, v.Inputs["message"]), appendStamp(nil, time.Unix(0, nanos)))
		if hex.EncodeToString(got[:]) != v.Hex {
			t.Error(v.Name)
		}
		h := wire.Handshake{Timestamp: time.Unix(0, nanos), Hmacs: []wire.Hmac{{Sum: got, Message: unhex(t, v.Inputs["message"])}}}
		r := newRing([]Key{NewKey([]byte("another"), ""), k})
		if key, _, why := r.find(&h, nil); why != accepted || key.id != k.id {
			t.Error(v.Name, why)
		}
	}
}

// PROTOCOL.md C3.
func TestResponseIsTheOriginals(t *testing.T) {
	for _, v := range loadVectors(t, "response_", 3) {
		k := NewKey([]byte(v.Inputs["psk_utf8"]), "")
		got := k.response((*[69]byte)(unhex(t, v.Inputs["challenge"])), (*[32]byte)(unhex(t, v.Inputs["public_key"])),
			wire.HandshakeID(unhex(t, v.Inputs["id"])))
		if hex.EncodeToString(got[:]) != v.Hex {
			t.Error(v.Name)
		}
	}
}

func TestPublicKeyIsTheOriginals(t *testing.T) {
	for _, v := range loadVectors(t, "box_", 2) {
		_, got := nodeid.X25519((*[32]byte)(unhex(t, v.Inputs["secret_key"])))
		if hex.EncodeToString(got[:]) != v.Hex {
			t.Error(v.Name)
		}
	}
}

// PROTOCOL.md C4.
func TestBoxesOfTheOriginalOpen(t *testing.T) {
	for _, v := range loadVectors(t, "packet_box_", 3) {
		in := v.Inputs
		secret, _ := nodeid.X25519((*[32]byte)(unhex(t, in["sender_secret_key"])))
		shared, ok := secret.Agree((*[32]byte)(unhex(t, in["recipient_public_key"])))
		if !ok {
			t.Fatal(v.Name)
		}
		var p wire.Packet
		if err := wire.ParsePacket(&p, unhex(t, v.Hex)); err != nil {
			t.Fatal(v.Name, err)
		}
		key := boxKey(&shared)
		text, ok := box.OpenAfterPrecomputation(nil, append(p.Box.Tag[:], p.Box.Data...), &p.Box.Nonce, &key)
		switch {
		case !ok:
			t.Error("ok is false")
		case in["plaintext"] != "" && !bytes.Equal(text, unhex(t, in["plaintext"])):
			t.Error(v.Name, ok)
		}
	}
}
