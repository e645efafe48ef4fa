//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/todoctl/todoctl/test/certs"
	apache "github.com/todoctl/todoctl/test/kafka"
)

// The scripts of testdata/secured run on one Apache Kafka with TLS and SASL.
func TestScriptsOnSecuredKafka(t *testing.T) {
	daprd := findDaprd(t)
	needKcat(t)
	folder, err := certs.Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	node, err := apache.StartSecured(t.Context(), folder, os.Stderr)
	if errors.Is(err, apache.ErrMissing) {
		missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, node)
	params := scriptParams(daprd, node)
	params.Dir = "testdata/secured"
	setup := params.Setup
	params.Setup = func(env *testscript.Env) error {
		env.Setenv("CERTS", string(folder))
		return setup(env)
	}
	testscript.RunT(inTurn{t}, params)
}

// secured: empties the secured node and sets BROKER to its plain listener, TLS, MTLS,
// EXPIRED, OTHERHOST, SASLTLS, SASLPLAIN and SCRAM512 to the others; the file password
// holds that of the user todo.
func startSecured(ts *testscript.TestScript, _ bool, _ []string) {
	broker(ts, false, nil)
	node := ts.Value("kafka").(*apache.Cluster)
	for _, name := range []string{"TLS", "MTLS", "EXPIRED", "OTHERHOST", "SASLTLS", "SASLPLAIN", "SCRAM512"} {
		ts.Setenv(name, node.Address(name))
	}
	ts.Check(os.WriteFile(ts.MkAbs("password"), []byte(apache.Password+"\n"), 0o600))
}

// certificates: makes the certificates of test/certs and sets CERTS to their folder.
func makeCertificates(ts *testscript.TestScript, _ bool, _ []string) {
	dir := ts.MkAbs("certificates")
	ts.Check(os.Mkdir(dir, 0o700))
	_, err := certs.Make(dir)
	ts.Check(err)
	ts.Setenv("CERTS", dir)
}

// loginvars: sets the variables that dapr-components/alternatives/kafka-sasl names, and
// COMPONENTS to dapr-components.
func loginVariables(ts *testscript.TestScript, _ bool, _ []string) {
	components, err := filepath.Abs("../../dapr-components")
	ts.Check(err)
	ca, err := os.ReadFile(certs.Folder(ts.Getenv("CERTS")).Path(certs.CA))
	ts.Check(err)
	ts.Setenv("COMPONENTS", components)
	ts.Setenv("KAFKA_PASSWORD", apache.Password)
	ts.Setenv("KAFKA_CA", string(ca))
}
