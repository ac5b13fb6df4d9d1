package udp

import (
	"bytes"
	"compress/lzw"
	"crypto/rand"
	"io"
)

// A memberlistPing is what is sent as a knock. A node of this library drops and counts it as malformed (PROTOCOL.md W9), one
// of gwyh 0.1 drops it without a word: it is no packet. Most others answer nothing either, but a memberlist node without
// encryption and label answers it, and logs nothing. A packet of gwyh it would log as an error.
type memberlistPing struct {
	packet []byte
	seq    [4]byte
}

// newMemberlistPing makes a ping for a node of any name. The highest bit of its number is set, so that MessagePack has no
// shorter form for it.
func newMemberlistPing() (p memberlistPing) {
	_, _ = rand.Read(p.seq[:])
	p.seq[0] |= 0x80
	p.packet = append(p.packet, pingMsg)
	p.packet = append(p.packet, "\x82\xa5SeqNo\xce"...)
	p.packet = append(p.packet, p.seq[:]...)
	p.packet = append(p.packet, "\xa4Node\xa0"...)
	return p
}

// Types of memberlist's messages.
const (
	pingMsg     = 0
	ackRespMsg  = 2
	compoundMsg = 7
	compressMsg = 9
	hasCrcMsg   = 12
)

// isAnswer reports whether a datagram is memberlist's answer: an ack with the number of the ping, by itself or in a compound
// message with news, compressed or not, behind a checksum or not. The number shows that its sender has had the ping.
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

// answerMax is how much of an answer is looked at, in bytes.
const answerMax = 2048

// decompressed is what a compressed message holds, up to answerMax bytes: a map in MessagePack with the field Buf, which was
// compressed by LZW. What is broken ends early.
func decompressed(b []byte) []byte {
	_, b, _ = bytes.Cut(b, []byte("\xa3Buf"))
	if len(b) == 0 {
		return nil
	}
	head := 1 // of a string of up to 31 bytes
	switch b[0] {
	case 0xc4, 0xd9: // with a length of one byte
		head = 2
	case 0xc5, 0xda: // of two bytes
		head = 3
	}
	content, _ := io.ReadAll(io.LimitReader(lzw.NewReader(bytes.NewReader(b[min(head, len(b)):]), lzw.LSB, 8), answerMax))
	return content
}
