package session

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/box"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// load reads a file of ../../testdata.
func load(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile("../../testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// legacyOpener returns the end of a legacy session that opens boxes that peer sealed with the key pair pub.
func legacyOpener(peer wire.NodeID, pub, sec []byte) *Session {
	p := Params{Peer: peer, Legacy: true}
	box.Precompute(&p.RecvKey, (*[32]byte)(pub), (*[32]byte)(sec))
	p.SendKey = p.RecvKey
	return New(epoch, p)
}

func TestRecordedBoxesOpen(t *testing.T) {
	var vectors []struct {
		Name, Hex string
		Inputs    map[string]any
	}
	load(t, "gwyh-0.1.json", &vectors)
	opened := 0
	var senderPublic []byte
	for _, v := range vectors {
		if v.Name == "box_sender_public" {
			senderPublic = unhex(t, v.Hex)
		}
	}
	for _, v := range vectors {
		if !strings.HasPrefix(v.Name, "packet_box_") {
			continue
		}
		p := parse(t, unhex(t, v.Hex))
		// Both ends have the same key, so the sender's half and the recipient's half are sufficient.
		s := legacyOpener(p.Sender, unhex(t, v.Inputs["recipient_public_key"].(string)), unhex(t, v.Inputs["sender_secret_key"].(string)))
		if secret, ok := v.Inputs["recipient_secret_key"]; ok {
			s = legacyOpener(p.Sender, senderPublic, unhex(t, secret.(string)))
		}
		plain, err := s.Open(epoch, p)
		if err != nil || hex.EncodeToString(plain) != v.Inputs["plaintext"] {
			t.Errorf("%s: opened %x, %v", v.Name, plain, err)
		}
		opened++
	}
	if opened < 3 {
		t.Errorf("only %d vectors with a box", opened)
	}
}

// transcript is a recorded conversation of a probe with a running gwyh 0.1 node.
type transcript struct {
	Name           string
	ProbeSecretKey string `json:"probe_secret_key"`
	Datagrams      []struct {
		From, Hex, Note string
		DecryptedHex    *string `json:"decrypted_hex"`
	}
}

// publicKey returns the public key of the last handshake packet from a node other than the probe.
func publicKey(t *testing.T, p *wire.Packet) ([]byte, bool) {
	var h wire.Handshake
	if err := p.ParseHandshake(&h); err != nil {
		t.Fatal(err)
	}
	return h.PublicKey[:], h.Step == wire.StepHello || h.Step == wire.StepOhai
}

func TestBoxesOfRecordedConversationsOpen(t *testing.T) {
	var transcripts []transcript
	load(t, "transcripts.json", &transcripts)
	opened := 0
	for _, tr := range transcripts {
		var rust *Session
		for i, d := range tr.Datagrams {
			if d.From == "probe" {
				continue
			}
			p := parse(t, unhex(t, d.Hex))
			if p.Kind == wire.PacketHandshake {
				if pub, ok := publicKey(t, p); ok {
					rust = legacyOpener(p.Sender, pub, unhex(t, tr.ProbeSecretKey))
				}
				continue
			}
			if rust == nil || d.DecryptedHex == nil {
				t.Errorf("%s %d: %s: no key or plaintext is recorded", tr.Name, i, d.Note)
				continue
			}
			plain, err := rust.Open(epoch, p)
			if err != nil || hex.EncodeToString(plain) != *d.DecryptedHex {
				t.Errorf("%s %d: %s: opened %x, %v", tr.Name, i, d.Note, plain, err)
			}
			opened++
		}
	}
	if opened < 100 {
		t.Errorf("only %d boxes in the transcripts", opened)
	}
}
