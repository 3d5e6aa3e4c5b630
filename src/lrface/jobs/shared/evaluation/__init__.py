"""What the jobs share that measure: arms, rivals, the judge."""
