package session

import (
	"bytes"
	"testing"

	"golang.org/x/crypto/nacl/box"
	"golang.org/x/crypto/nacl/secretbox"
)

// sizes returns every size near the first chunk of the key stream and the blocks of the cipher.
func sizes() (all []int) {
	for n := range 3 * firstChunk {
		all = append(all, n)
	}
	return append(all, 4096, 9000, 21000, 65000)
}

// sealWith seals under a whole key and nonce and returns the tag followed by the ciphertext.
func sealWith(suite Suite, key *[32]byte, nonce *[24]byte, plain []byte) []byte {
	var subkey [32]byte
	var tag [16]byte
	suite.Subkey(&subkey, key, (*[16]byte)(nonce[:16]))
	data := make([]byte, len(plain))
	suite.Seal(&subkey, (*[8]byte)(nonce[16:]), &tag, data, plain)
	return append(tag[:], data...)
}

// openWith is the inverse. It returns the bytes in place of the ciphertext afterwards.
func openWith(suite Suite, key *[32]byte, nonce *[24]byte, sealed []byte) ([]byte, bool) {
	var subkey [32]byte
	suite.Subkey(&subkey, key, (*[16]byte)(nonce[:16]))
	tag, data := [16]byte(sealed[:16]), bytes.Clone(sealed[16:])
	ok := suite.Open(&subkey, (*[8]byte)(nonce[16:]), &tag, data)
	return data, ok
}

func TestNaClEqualsSecretboxBothWays(t *testing.T) {
	rng := random(2)
	var key [32]byte
	var nonce [24]byte
	for _, n := range sizes() {
		plain := make([]byte, n)
		for _, b := range [][]byte{key[:], nonce[:], plain} {
			rng.Read(b)
		}
		theirs := secretbox.Seal(nil, plain, &nonce, &key)
		if ours := sealWith(NaCl, &key, &nonce, plain); !bytes.Equal(ours, theirs) {
			t.Fatalf("%d bytes are sealed otherwise than secretbox does", n)
		}
		if got, ok := openWith(NaCl, &key, &nonce, theirs); !ok || !bytes.Equal(got, plain) {
			t.Fatalf("%d bytes that secretbox sealed do not open", n)
		}
	}
}

func TestNaClEqualsBoxWithThePrecomputedKeyBothWays(t *testing.T) {
	rng := random(3)
	pub1, sec1, err := box.GenerateKey(rng)
	if err != nil {
		t.Fatal(err)
	}
	pub2, sec2, err := box.GenerateKey(rng)
	if err != nil {
		t.Fatal(err)
	}
	var key [32]byte
	box.Precompute(&key, pub2, sec1)
	nonce := [24]byte{1, 2, 3, 23: 4}
	plain := bytes.Repeat([]byte("gwyh"), 100)
	if got, ok := box.Open(nil, sealWith(NaCl, &key, &nonce, plain), &nonce, pub1, sec2); !ok || !bytes.Equal(got, plain) {
		t.Error("nacl/box does not open what we sealed")
	}
	if got, ok := openWith(NaCl, &key, &nonce, box.Seal(nil, plain, &nonce, pub1, sec2)); !ok || !bytes.Equal(got, plain) {
		t.Error("we do not open what nacl/box sealed")
	}
}

func TestSealInPlaceEqualsSealIntoAnotherBuffer(t *testing.T) {
	key, nonce := [32]byte{1}, [24]byte{2}
	var subkey [32]byte
	NaCl.Subkey(&subkey, &key, (*[16]byte)(nonce[:16]))
	for _, n := range []int{0, 1, 31, 33, 479, 480, 481, 1300, 9000} {
		plain := bytes.Repeat([]byte{7}, n)
		want := sealWith(NaCl, &key, &nonce, plain)
		var tag [16]byte
		NaCl.Seal(&subkey, (*[8]byte)(nonce[16:]), &tag, plain, plain)
		if got := append(tag[:], plain...); !bytes.Equal(got, want) {
			t.Errorf("%d bytes sealed in place differ", n)
		}
	}
}

func TestDamagedBoxIsRefusedAndLeftAsItWas(t *testing.T) {
	for name, suite := range suites {
		t.Run(name, func(t *testing.T) {
			key, nonce := [32]byte{1}, [24]byte{2}
			sealed := sealWith(suite, &key, &nonce, bytes.Repeat([]byte("box"), 200))
			for bit := 0; bit < 8*len(sealed); bit += 5 {
				bad := bytes.Clone(sealed)
				bad[bit/8] ^= 1 << (bit % 8)
				if data, ok := openWith(suite, &key, &nonce, bad); ok || !bytes.Equal(data, bad[16:]) {
					t.Fatalf("with bit %d flipped: opened %v, unchanged %v", bit, ok, bytes.Equal(data, bad[16:]))
				}
			}
			otherKey, otherNonce := key, nonce
			otherKey[31]++
			if _, ok := openWith(suite, &otherKey, &nonce, sealed); ok {
				t.Error("opens under another key")
			}
			for _, i := range []int{0, 23} {
				otherNonce = nonce
				otherNonce[i]++
				if _, ok := openWith(suite, &key, &otherNonce, sealed); ok {
					t.Errorf("opens with byte %d of the nonce changed", i)
				}
			}
			if _, ok := openWith(suite, &key, &nonce, sealed[:len(sealed)-1]); ok {
				t.Error("opens when cut")
			}
		})
	}
}

func TestNullBoxIsAsLongAsAnyOther(t *testing.T) {
	low, _ := pair(Null)
	real, _ := pair(NaCl)
	for _, n := range []int{0, 1, 255, 256, 1300, 65000} {
		plain := make([]byte, n)
		if a, b := low.Seal(epoch, nil, plain), real.Seal(epoch, nil, plain); len(a) != len(b) {
			t.Errorf("%d bytes make a datagram of %d, in earnest of %d", n, len(a), len(b))
		}
	}
}
