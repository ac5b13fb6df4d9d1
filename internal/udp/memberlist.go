package udp

import (
	"bytes"
	"compress/lzw"
	"crypto/rand"
	"io"
)

// A memberlistPing is the datagram of a knock. A node of this library drops it and counts it as malformed (PROTOCOL.md
// W9). A legacy node drops it silently. Most other programs do not answer it, but a memberlist node without encryption
// and label answers it and logs nothing. It would log a packet of gwyh as an error.
type memberlistPing struct {
	packet []byte
	seq    [4]byte
}

// newMemberlistPing returns a ping for a node of any name. It sets the highest bit of the sequence number, because
// MessagePack then has no shorter form for the number.
func newMemberlistPing() (p memberlistPing) {
	_, _ = rand.Read(p.seq[:])
	p.seq[0] |= 0x80
	p.packet = append(p.packet, pingMsg)
	p.packet = append(p.packet, "\x82\xa5SeqNo\xce"...)
	p.packet = append(p.packet, p.seq[:]...)
	p.packet = append(p.packet, "\xa4Node\xa0"...)
	return p
}

// Types of memberlist messages.
const (
	pingMsg     = 0
	ackRespMsg  = 2
	compoundMsg = 7
	compressMsg = 9
	hasCrcMsg   = 12
)

// isAnswer reports whether a datagram is memberlist's answer: an ack with the ping's sequence number, alone or in a
// compound message, compressed or not, with a checksum or not. The number proves that the sender has received the ping.
func (p *memberlistPing) isAnswer(b []byte) bool {
	const crc = 4
	if len(b) > 1+crc && b[0] == hasCrcMsg {
		b = b[1+crc:]
	}
	if len(b) > 0 && b[0] == compressMsg {
		b = decompressed(b)
	}
	if len(b) == 0 || b[0] != ackRespMsg && b[0] != compoundMsg {
		return false
	}
	return bytes.Contains(b, append([]byte("SeqNo\xce"), p.seq[:]...))
}

// answerMax is the number of bytes of an answer that are examined.
const answerMax = 2048

// decompressed returns the content of a compressed message, up to answerMax bytes. The message is a MessagePack map
// whose field Buf is compressed by LZW. For a malformed message, the content is shorter.
func decompressed(b []byte) []byte {
	_, b, _ = bytes.Cut(b, []byte("\xa3Buf"))
	if len(b) == 0 {
		return nil
	}
	head := 1 // of a string of up to 31 bytes
	switch b[0] {
	case 0xc4, 0xd9: // with a one-byte length
		head = 2
	case 0xc5, 0xda: // with a two-byte length
		head = 3
	}
	content, _ := io.ReadAll(io.LimitReader(lzw.NewReader(bytes.NewReader(b[min(head, len(b)):]), lzw.LSB, 8), answerMax))
	return content
}
