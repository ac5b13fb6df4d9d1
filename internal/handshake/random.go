package handshake

import (
	"encoding/binary"
	"io"

	"github.com/gwyh-go/gwyh/internal/nodeid"
)

// An origin is the source of keys, ids, challenges and padding.
type origin struct {
	io.Reader
	agreement nodeid.Agreement
}

func (o origin) secret() (nodeid.PrivateKey, [32]byte) {
	var random [32]byte
	fill(o, random[:])
	defer clear(random[:])
	return o.agreement(&random)
}

// random64 draws a random number.
func random64(rand io.Reader) uint64 {
	var b [8]byte
	fill(rand, b[:])
	return binary.BigEndian.Uint64(b[:])
}

// fill fills b with random bytes. It panics if the source of randomness fails, because nothing is safe without it.
func fill(rand io.Reader, b []byte) {
	if _, err := io.ReadFull(rand, b); err != nil {
		panic("handshake: the source of randomness ended: " + err.Error())
	}
}
