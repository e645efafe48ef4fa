// Package certs makes certificates for tests: of a CA, of servers on loopback, one of
// them expired and one for another host, and of a client.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A Folder holds PEM files, each of one of the names below.
type Folder string

// The files. A .pem of a server or a client holds its key and its certificate.
const (
	CA         = "ca.pem"
	OtherCA    = "other-ca.pem"
	Server     = "server.pem"
	Expired    = "expired.pem"
	OtherHost  = "other-host.pem"
	Client     = "client.pem"
	ClientCert = "client-cert.pem"
	ClientKey  = "client-key.pem"
	OtherKey   = "other-key.pem" // of no certificate
)

// Path is where a file is.
func (f Folder) Path(name string) string { return filepath.Join(string(f), name) }

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Make writes all files into a folder that exists.
func Make(dir string) (Folder, error) {
	f := Folder(dir)
	ca, err := f.authority(CA, "todoctl test CA")
	if err != nil {
		return f, err
	}
	if _, err := f.authority(OtherCA, "another test CA"); err != nil {
		return f, err
	}
	now := time.Now()
	loopback := x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: now.Add(24 * time.Hour)}
	expired, other := loopback, loopback
	expired.NotAfter = now.Add(-time.Hour)
	other.DNSNames, other.IPAddresses = []string{"broker.example"}, nil
	for name, template := range map[string]x509.Certificate{
		Server: loopback, Expired: expired, OtherHost: other, Client: {NotAfter: loopback.NotAfter, Subject: pkix.Name{CommonName: "todo"}},
	} {
		if err := f.leaf(ca, name, template); err != nil {
			return f, err
		}
	}
	_, key, err := newKey()
	if err != nil {
		return f, err
	}
	return f, os.WriteFile(f.Path(OtherKey), key, 0o600)
}

func (f Folder) authority(name, subject string) (authority, error) {
	key, _, err := newKey()
	if err != nil {
		return authority{}, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: subject}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return authority{}, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return authority{}, err
	}
	return authority{cert, key}, os.WriteFile(f.Path(name), block("CERTIFICATE", der), 0o600)
}

// leaf writes a key and its certificate; those of the client also apart.
func (f Folder) leaf(ca authority, name string, template x509.Certificate) error {
	key, keyPEM, err := newKey()
	if err != nil {
		return err
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore = time.Now().Add(-24 * time.Hour)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, &template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return err
	}
	certPEM := block("CERTIFICATE", der)
	files := map[string][]byte{name: append(keyPEM, certPEM...)}
	if name == Client {
		files[ClientCert], files[ClientKey] = certPEM, keyPEM[:len(keyPEM):len(keyPEM)]
	}
	for name, text := range files {
		if err := os.WriteFile(f.Path(name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key) // the form that Apache Kafka reads
	return key, block("PRIVATE KEY", der), err
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// ServerConfig is that of a Go server with the certificate of that name. With mutual it
// wants a client certificate of the CA.
func (f Folder) ServerConfig(name string, mutual bool) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(f.Path(name), f.Path(name))
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if !mutual {
		return config, nil
	}
	ca, err := os.ReadFile(f.Path(CA))
	if err != nil {
		return nil, err
	}
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	config.ClientCAs.AppendCertsFromPEM(ca)
	return config, nil
}
