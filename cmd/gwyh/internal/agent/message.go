package agent

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

// A broadcast of an agent is
//
//	0  4  "gwa1"
//	4  .. uvarint length and bytes of the name of the sending agent
//	   .. uvarint length and bytes of the name of the message
//	   .. payload
//
// Members that are not agents receive it in NotifyMsg, and may send it.
var magic = []byte("gwa1")

// nameMax bounds the bytes of each of the two names.
const nameMax = 255

// encode returns a broadcast. The caller has checked the bounds of the names.
func encode(origin, name string, payload []byte) []byte {
	b := bytes.Clone(magic)
	for _, s := range []string{origin, name} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return append(b, payload...)
}

// decode parses a broadcast. A broadcast that no agent sent becomes a message without names.
func decode(b []byte) *api.Message {
	rest, ok := bytes.CutPrefix(b, magic)
	if !ok {
		return &api.Message{Payload: b}
	}
	var names [2]string
	for i := range names {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > nameMax || n > uint64(len(rest)-size) {
			return &api.Message{Payload: b}
		}
		names[i], rest = string(rest[size:size+int(n)]), rest[size+int(n):]
	}
	return &api.Message{Origin: names[0], Name: names[1], Payload: rest}
}

// checkName returns an error if a message cannot have that name.
func checkName(name string) error {
	if name == "" || len(name) > nameMax {
		return &api.RequestError{Err: fmt.Errorf("name of %d bytes, want 1 to %d", len(name), nameMax)}
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return &api.RequestError{Err: fmt.Errorf("name %q, want UTF-8 without control characters", name)}
		}
	}
	return nil
}
