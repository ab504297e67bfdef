package kakao

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
)

// WhyNoAnswer says in fixed words why a peer gave no answer, where the peer is called "the receiver" or the like: the errors
// of the network quote names and addresses, those of HTTP what the peer sent.
func WhyNoAnswer(err error, peer string) string {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var name *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return "the name of " + peer + " is not known"
	case errors.As(err, &name):
		return "the name of " + peer + " could not be looked up"
	case errors.As(err, &certificate):
		return "the certificate of " + peer + " is not trusted"
	case errors.As(err, &record), errors.As(err, &alert), errors.Is(err, http.ErrSchemeMismatch):
		return peer + " did not agree on TLS"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return peer + " did not answer in time"
	case errors.Is(err, context.Canceled):
		return "the call was given up before " + peer + " answered"
	case errors.Is(err, syscall.ECONNREFUSED):
		return peer + " takes no connections"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return peer + " closed the connection without an answer"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to " + peer
	}
	return peer + " was not reached, or what it sent is no answer in HTTP"
}
